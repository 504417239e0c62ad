"""A person's own packages on top of a framework: locked, built, used, and one layer when one of them changes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.image.store import ImageStore
from toolkit.lock.file import read_lock

from .bench import EXAMPLE, MANIFEST, Bench


@pytest.fixture
def manifest(tmp_path: Path) -> Iterator[Path]:
    """The example, asking for a Python package and a Debian package; what is built of it is removed afterwards."""
    shutil.copy(EXAMPLE / "train.py", tmp_path)
    text = MANIFEST.read_text()
    assert "  framework:\n" in text
    (tmp_path / "manifest.yml").write_text(text.replace("  framework:\n", "  packages: [bc]\n  framework:\n"))
    (tmp_path / "requirements.txt").write_text("# plots\nfire==0.7.1\n")
    yield tmp_path / "manifest.yml"
    store = ImageStore()
    for name in store.names_in(""):
        if "toolkit.additions" in store.get(name).labels or name.startswith("toolkit-packages:"):
            store.remove(name)


def build(bench: Bench, manifest: Path) -> str:
    image: str = json.loads(bench.ok("build", "--json", manifest, timeout=600).stdout)["image"]["reference"]
    return image


@pytest.mark.slow
def test_a_persons_packages_are_locked_built_and_used(bench: Bench, image: str, manifest: Path) -> None:
    refused = bench.run("build", manifest)
    assert (refused.returncode, "requested but not locked" in refused.stderr) == (2, True)
    bench.ok("lock", manifest, timeout=600)
    first = build(bench, manifest)
    command = "python -c 'import fire, tensorflow, ddl; print(fire.__file__)' && echo 6*7 | bc"
    argv = ["docker", "run", "--rm", "--network", "none", first, "sh", "-c", command]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    assert said == ["/opt/user/lib/python3.11/site-packages/fire/__init__.py", "42"]

    (manifest.parent / "requirements.txt").write_text("tabulate==0.9.0\n")
    stale = bench.run("build", manifest)
    assert (stale.returncode, "is stale" in stale.stderr) == (2, True)
    (manifest.parent / "manifest.yml").write_text(manifest.read_text().replace("  packages: [bc]\n", ""))
    bench.ok("lock", manifest)
    second = build(bench, manifest)
    store = ImageStore()
    below, ours, others = (store.get(name).config.diff_ids for name in (image, first, second))
    assert ours[: len(below)] == others[: len(below)] == below
    assert (len(ours), len(others)) == (len(below) + 2, len(below) + 1)


def test_a_second_framework_is_never_locked_and_an_excluded_one_is_reported(bench: Bench, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "train.py", tmp_path)
    shutil.copy(MANIFEST, tmp_path / "manifest.yml")
    (tmp_path / "requirements.txt").write_text("tensorflow>=2.10\ntf-keras\n")
    said = bench.ok("lock", tmp_path / "manifest.yml", timeout=600).stderr
    assert "is satisfied by the image's tensorflow-cpu" in said
    locked = [wheel.name for wheel in read_lock(tmp_path / "toolkit.lock").wheels]
    assert ("tf-keras" in locked, "tensorflow" in locked) == (True, False)
    (tmp_path / "requirements.txt").write_text("# text\ntensorflow-text==2.15.0\n")
    refused = bench.run("lock", tmp_path / "manifest.yml")
    assert refused.returncode == 3
    assert "requirements.txt:2 requires tensorflow-text==2.15.0" in refused.stderr
    assert "the image has tensorflow-cpu" in refused.stderr

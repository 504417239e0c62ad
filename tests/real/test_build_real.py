"""Images, built by a real engine."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.catalogue.model import DistributionBase, FrameworkRow
from toolkit.catalogue.version import read_inputs, sha256_of
from toolkit.errors import ToolkitError
from toolkit.image.base import make_base
from toolkit.image.build import Build
from toolkit.image.progress import silent
from toolkit.image.store import ImageStore
from toolkit.places import cache

from .conftest import MANIFEST, Bench


def in_image(image: str, *words: str) -> str:
    argv = ["docker", "run", "--rm", "--network", "none", "--cap-drop", "ALL", image, *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_an_image_that_is_there_is_not_built_again(bench: Bench, image: str) -> None:
    said = json.loads(bench.ok("build", "--json", MANIFEST).stdout)
    assert said["image"]["reference"] == image
    assert (said["image"]["built_now"], said["buckets_image"]["built_now"]) == (False, False)


def test_labels_say_what_went_in(bench: Bench, image: str, row: FrameworkRow) -> None:
    argv = ["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image]
    labels = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    assert labels["org.opencontainers.image.version"] == image
    assert labels["toolkit.inputs.sha256"] == read_inputs(row.recipe).digest
    assert "lock=" in labels["toolkit.inputs"]


def test_the_image_is_unprivileged_and_holds_no_host_key_and_no_pip_cache(image: str) -> None:
    assert in_image(image, "id", "-u").strip() == "1000"
    look = "ls /etc/ssh/*key* /home/learner/.cache /root/.cache /wheels 2>/dev/null; true"
    assert in_image(image, "sh", "-c", look) == ""


def test_the_image_holds_the_locked_tensorflow_and_ddl(image: str) -> None:
    program = "import tensorflow, ddl, mpi4py.MPI; print(tensorflow.__version__, ddl.size())"
    assert in_image(image, "python", "-c", program).split() == ["2.19.1", "1"]


def test_a_failing_step_shows_its_last_lines_and_leaves_no_tag(row: FrameworkRow, image: str, tmp_path: Path) -> None:
    template = tmp_path / "broken.j2"
    template.write_text("FROM {{ base }}\nRUN echo before the fall && false\n")
    recipe = replace(row.recipe, name="toolkit-test-broken", template=template, lock=None, trees=())
    store = ImageStore()
    with pytest.raises(ToolkitError) as caught:
        Build(recipe, row.python, store, cache(), silent).run()
    assert caught.value.code.label == "S103"
    assert "RUN echo before the fall && false" in caught.value.what
    assert "before the fall" in caught.value.evidence
    assert store.find(read_inputs(recipe).reference) is None


def test_a_wheel_with_another_hash_is_refused(row: FrameworkRow, image: str, tmp_path: Path) -> None:
    lock = tmp_path / "wrong.lock"
    lock.write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    recipe = replace(row.recipe, name="toolkit-test-wrong-hash", lock=lock)
    with pytest.raises(ToolkitError) as caught:
        Build(recipe, row.python, ImageStore(), tmp_path / "cache", silent).run()
    assert "could not be downloaded" in caught.value.what
    assert "hash" in caught.value.evidence.lower()


def test_a_base_is_the_same_file_twice_and_tells_its_steps(tmp_path: Path) -> None:
    base = DistributionBase("bookworm", ("dash",), "extract")
    steps: list[str] = []
    for name in ("one.tar", "other.tar"):
        make_base(base, tmp_path / name, steps.append)
    assert sha256_of(tmp_path / "one.tar") == sha256_of(tmp_path / "other.tar")
    assert steps[: len(steps) // 2] == steps[len(steps) // 2 :]
    assert {"running apt-get update", "extracting archives", "creating tarball"} <= set(steps)


def test_a_base_that_cannot_be_made_comes_with_mmdebstraps_last_lines(tmp_path: Path) -> None:
    base = DistributionBase("bookworm", ("no-such-package-at-all",), "extract")
    with pytest.raises(ToolkitError) as caught:
        make_base(base, tmp_path / "base.tar", lambda _: None)
    assert (caught.value.code.label, caught.value.what) == ("S103", "mmdebstrap could not make the base from bookworm")
    assert "no-such-package-at-all" in caught.value.evidence


def test_of_two_builds_at_once_one_builds(row: FrameworkRow, image: str, tmp_path: Path) -> None:
    template = tmp_path / "small.j2"
    template.write_text("FROM {{ base }}\nRUN sleep 3\nLABEL test=two-at-once\n")
    recipe = replace(row.recipe, name="toolkit-test-two-at-once", template=template, lock=None, trees=())
    try:
        with ThreadPoolExecutor() as pool:
            builds = [pool.submit(Build(recipe, "", ImageStore(), tmp_path / "cache", silent).run) for _ in range(2)]
            made = [build.result() for build in builds]
        assert sorted(build.fresh for build in made) == [False, True]
        assert made[0].image_id == made[1].image_id
    finally:
        subprocess.run(["docker", "rmi", read_inputs(recipe).reference], check=True, capture_output=True)

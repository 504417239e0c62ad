"""The promise itself, on whole frameworks: built twice, from nothing, elsewhere, on another day, by either builder.

Slow (half an hour) and large (25 GB of disk): `tox -e bits`. It needs the network, faketime, unshare, BuildKit's CLI.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.paths import assets, cache

NAMES = ("tensorflow-ddl-1.5-py2.7-cpu", "tensorflow-ddl-2.21-py3.11-cpu", "tensorflow-2.19-py3.11-cuda")


def toolkit(*words: object, before: tuple[str, ...] = (), folder: Path | None = None) -> dict[str, object]:
    """A command's JSON; `before` stands before it, `folder` is its cache."""
    environment = {**os.environ, "TOOLKIT_CACHE": str(folder or cache())}
    argv = [*before, sys.executable, "-m", "toolkit", *map(str, words), "--json"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def elsewhere(folder: Path) -> Path:
    """Another cache, in a folder with a space in its name: the locked files are in it, and nothing that was made."""
    shutil.copytree(cache() / "pool", folder / "another place" / "pool", copy_function=os.link)
    return folder / "another place"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_another_day_another_place_and_the_other_builder_give_the_same_image(name: str, tmp_path: Path) -> None:
    image = toolkit("build", "--image", name)["image"]
    assert isinstance(image, dict)
    years_later = ("faketime", "2031-03-03 03:03:03")
    words = ("images", "verify", image["reference"], "--builder", "buildkit")
    again = toolkit(*words, before=years_later, folder=elsewhere(tmp_path))
    assert (again["image"], again["same"]) == (again["again"], True)


@pytest.mark.timeout(3600)
def test_a_bundle_without_a_network_gives_the_same_image(tmp_path: Path) -> None:
    manifest = assets() / "examples" / "mnist" / "manifest.yml"
    image = toolkit("build", manifest)["image"]
    assert isinstance(image, dict)
    toolkit("bundle", manifest, "-o", tmp_path / "site.tar")
    folder = tmp_path / "cache of a machine without a network"
    toolkit("bundle", "load", "--no-images", tmp_path / "site.tar", folder=folder)
    again = toolkit("images", "verify", image["reference"], before=("unshare", "--net"), folder=folder)
    assert (again["image"], again["same"]) == (again["again"], True)

"""Solving at the real archives and the real index: a small base, and the wheels of one package."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.catalogue.model import DistributionBase, Suite
from toolkit.catalogue.suites import read_suites
from toolkit.errors import ToolkitError
from toolkit.image.base import make_base
from toolkit.lock.debs import solve_debs
from toolkit.lock.pool import Pool
from toolkit.lock.wheels import solve_wheels
from toolkit.paths import assets
from toolkit.process import run


@pytest.fixture(scope="module")
def bookworm() -> Suite:
    return read_suites(assets() / "images")["bookworm"]


def test_the_packages_that_mmdebstrap_takes_are_locked_and_make_the_base_again(bookworm: Suite, tmp_path: Path) -> None:
    base, pool = DistributionBase(bookworm, ("dash", "tar"), "extract"), Pool(tmp_path / "pool")
    pins = solve_debs(base, pool, lambda _: None)
    names = {pin.name: pin for pin in pins}
    assert {"dash", "tar", "libc6", "libselinux1"} <= names.keys()
    assert names["tar"].path.startswith("pool/main/t/tar/tar_")
    assert {pin.archive for pin in pins} <= {"debian", "debian-security"}
    for pin in pins:
        data = pool.path(pin).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (pin.sha256, pin.size)
    make_base(base, pins, pool, tmp_path / "base.tar", lambda _: None)
    listed = run(["tar", "--list", "--file", str(tmp_path / "base.tar")]).output.splitlines()
    assert {"./bin/dash", "./bin/tar", "./lib/x86_64-linux-gnu/libc.so.6"} <= set(listed)


def test_a_package_that_no_archive_has_is_reported_in_the_words_of_apt(bookworm: Suite, tmp_path: Path) -> None:
    base = DistributionBase(bookworm, ("dash", "no-such-package-anywhere"), "extract")
    with pytest.raises(ToolkitError, match="could not resolve the packages of bookworm") as caught:
        solve_debs(base, Pool(tmp_path / "pool"), lambda _: None)
    assert "Unable to locate package no-such-package-anywhere" in caught.value.evidence


def test_the_archives_are_reached_through_a_sites_mirror(bookworm: Suite, tmp_path: Path) -> None:
    moved = [replace(archive, url="http://archive.invalid/debian") for archive in bookworm.archives]
    base = DistributionBase(replace(bookworm, archives=tuple(moved)), ("dash",), "extract")
    mirrors = {"TOOLKIT_MIRROR_" + archive.name.upper().replace("-", "_"): archive.url for archive in bookworm.archives}
    assert "dash" in {pin.name for pin in solve_debs(base, Pool(tmp_path / "pool"), lambda _: None, mirrors)}


def test_wheels_are_solved_for_the_images_python_and_no_other(bookworm: Suite) -> None:
    pins = {pin.name: pin for pin in solve_wheels(["requests==2.31.0", "numpy<2.2"], "3.12", bookworm, ["idna==3.7"])}
    assert pins.keys() == {"requests", "numpy", "charset-normalizer", "idna", "urllib3", "certifi"}
    assert (pins["idna"].version, pins["requests"].file) == ("3.7", "requests-2.31.0-py3-none-any.whl")
    assert "-cp312-cp312-manylinux" in pins["numpy"].file
    older = solve_wheels(["numpy"], "3.12", bookworm, keep=[pins["numpy"]])
    assert older == (pins["numpy"],)


def test_versions_that_exclude_each_other_are_reported_in_the_words_of_uv(bookworm: Suite) -> None:
    with pytest.raises(ToolkitError, match=r"no wheels satisfy requests==2\.31\.0 idna==2\.0") as caught:
        solve_wheels(["requests==2.31.0", "idna==2.0"], "3.11", bookworm)
    assert "requests==2.31.0 depends on idna>=2.5,<4" in caught.value.evidence


def test_an_old_python_gets_the_very_files_that_its_pip_would_take(bookworm: Suite) -> None:
    assert [pin.file for pin in solve_wheels(["absl-py==0.12.0", "numpy==1.16.6"], "2.7", bookworm)] == [
        "absl_py-0.12.0-py3-none-any.whl",
        "numpy-1.16.6-cp27-cp27mu-manylinux1_x86_64.whl",
    ]

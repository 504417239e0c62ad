"""Making a base, with a program of three lines in the place of mmdebstrap."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit.catalogue.model import DistributionBase
from toolkit.errors import ToolkitError
from toolkit.image.base import make_base, temporary_tar

BASE = DistributionBase("bookworm", ("python3",), "apt")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is first on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def install(programs: Path, script: str) -> None:
    (programs / "mmdebstrap").write_text(f"#!/bin/sh\n{script}")
    (programs / "mmdebstrap").chmod(0o755)


def test_each_step_that_takes_time_is_told(programs: Path, tmp_path: Path) -> None:
    says = (
        "I: running apt-get update...",
        "I: chroot is fine",
        "I: extracting archives...",
        "done",
        "I: creating tar...",
    )
    install(programs, "".join(f"echo '{line}' >&2\n" for line in says) + 'for tar; do :; done; echo x > "$tar"\n')
    steps: list[str] = []
    make_base(BASE, tmp_path / "base.tar", steps.append)
    assert steps == ["running apt-get update", "extracting archives", "creating tar"]
    assert (tmp_path / "base.tar").read_text() == "x\n"


def test_neither_day_nor_language_of_the_build_leaves_a_trace(programs: Path, tmp_path: Path) -> None:
    install(programs, 'for tar; do :; done; echo "$SOURCE_DATE_EPOCH $LC_ALL" > "$tar"\n')
    make_base(BASE, tmp_path / "base.tar", lambda _: None)
    assert (tmp_path / "base.tar").read_text() == "1577836800 C.UTF-8\n"


def test_a_failure_comes_with_its_last_lines(programs: Path, tmp_path: Path) -> None:
    install(programs, "seq 1 50; echo 'E: no mirror' >&2; exit 25")
    with pytest.raises(ToolkitError) as caught:
        make_base(BASE, tmp_path / "base.tar", lambda _: None)
    assert (caught.value.code.label, caught.value.what) == ("S103", "mmdebstrap could not make the base from bookworm")
    assert caught.value.evidence.splitlines() == [*map(str, range(32, 51)), "E: no mirror"]


def test_a_machine_without_mmdebstrap_is_told_what_to_install(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(ToolkitError, match="mmdebstrap is not installed") as caught:
        make_base(BASE, tmp_path / "base.tar", lambda _: None)
    assert "apt-get install mmdebstrap" in caught.value.mend


def test_a_tar_has_a_new_name_in_the_folder(tmp_path: Path) -> None:
    one, other = temporary_tar(tmp_path), temporary_tar(tmp_path)
    assert one != other
    assert {one.parent, other.parent} == {tmp_path}

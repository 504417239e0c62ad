"""SIF files: the command line as a value, and the story with a program that a test puts there."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.progress import silent
from toolkit.shipping.apptainer import build_argv, find_program, save_sif
from toolkit.shipping.save import save_images

from .conftest import ONE, Engine

COPIES = '#!/bin/sh\n[ "$1" = build ] || exit 9\nprintf "SIF " >"$2"\ncat "${3#docker-archive:}" >>"$2"\n'


def test_the_command_line_reads_a_saved_file() -> None:
    assert build_argv("/usr/bin/apptainer", "a.sif", "b.tar") == [
        *("/usr/bin/apptainer", "build", "a.sif", "docker-archive:b.tar"),
    ]


def test_apptainer_comes_before_singularity() -> None:
    here = {"apptainer": "/usr/bin/apptainer", "singularity": "/usr/bin/singularity"}
    assert find_program(here.get) == "/usr/bin/apptainer"
    assert find_program({"singularity": "/opt/singularity"}.get) == "/opt/singularity"


def test_without_either_the_hint_says_what_to_do() -> None:
    with pytest.raises(ToolkitError, match="no apptainer or singularity on this machine") as caught:
        find_program(lambda _: None)
    assert "apptainer build IMAGE.sif docker-archive:FILE.tar" in caught.value.hint


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program by that name, first in PATH."""
    file = tmp_path / "bin" / "apptainer"
    file.parent.mkdir()
    file.write_text(COPIES)
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{file.parent}:/usr/bin:/bin")
    return file


def test_the_program_gets_the_images_file_and_nothing_else_is_left(
    engine: Engine, program: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "image.sif"
    target.parent.mkdir()
    size = save_sif(ONE, target, engine, silent)
    expected = save_images([ONE], tmp_path / "x.tar", engine, silent).file.read_bytes()
    assert target.read_bytes() == b"SIF " + expected
    assert size == len(expected) + 4
    assert list(target.parent.iterdir()) == [target]


def test_a_program_that_fails_is_heard_and_leaves_no_file(engine: Engine, program: Path, tmp_path: Path) -> None:
    program.write_text("#!/bin/sh\necho FATAL: no user namespaces >&2\nexit 255\n")
    target = tmp_path / "out" / "image.sif"
    target.parent.mkdir()
    with pytest.raises(ToolkitError, match="apptainer could not write") as caught:
        save_sif(ONE, target, engine, silent)
    assert caught.value.evidence == "FATAL: no user namespaces"
    assert list(target.parent.iterdir()) == []

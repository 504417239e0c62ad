"""Whether a program has put something else in place of the run's own files."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest

from toolkit.agent.own_files import learners_in, look
from toolkit.agent.untrusted import Replacements

OWN = ["output.log", "status.json", "ranks/1.0", "ranks/12.1023", "weights/1.jsonl", "learner-1/training-log.txt"]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """The folder of logs, as a run has it."""
    for folder in ("ranks", "weights", "learner-1", "learner-2"):
        (tmp_path / folder).mkdir()
    for name in OWN:
        (tmp_path / name).write_text("x")
    return tmp_path


def looked_at(logs: Path) -> tuple[str, ...]:
    found = Replacements()
    look(logs, found)
    return found.what


def test_a_run_that_is_left_alone_has_nothing_else(logs: Path) -> None:
    assert looked_at(logs) == ()


def test_what_is_not_the_runs_own_is_no_business_of_ours(logs: Path) -> None:
    os.mkfifo(logs / "mine")
    (logs / "ranks" / "link").symlink_to("/")
    assert looked_at(logs) == ()


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "socket", "directory", "sparse"])
def test_whatever_lies_in_their_place_is_named(logs: Path, name: str, kind: str) -> None:
    file = logs / name
    file.unlink()
    if kind in ("link", "dangling"):
        file.symlink_to("/etc/passwd" if kind == "link" else "nowhere")
    elif kind == "fifo":
        os.mkfifo(file)
    elif kind == "directory":
        file.mkdir()
    elif kind == "sparse":
        with file.open("wb") as stream:
            stream.truncate(1 << 40)
    else:
        with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(file.parent):
            listening.bind(file.name)  # a whole path may be longer than a socket's may be
    (said,) = looked_at(logs)
    assert said.startswith(f"{name} is ")


@pytest.mark.parametrize("folder", ["ranks", "weights", "learner-2"])
def test_a_folder_that_is_a_link_is_named_and_not_entered(logs: Path, folder: str) -> None:
    for file in (logs / folder).iterdir():
        file.unlink()
    (logs / folder).rmdir()
    (logs / folder).symlink_to("/proc/self/root")
    assert [said.partition(" ")[0] for said in looked_at(logs)] == [folder]


def test_of_very_many_some_are_named(logs: Path) -> None:
    for rank in range(100):
        (logs / "ranks" / f"2.{rank}").symlink_to("/")
    assert len(looked_at(logs)) == Replacements.MOST


def test_learners_are_those_whose_folders_are_there(logs: Path) -> None:
    (logs / "learner-x").mkdir()
    assert learners_in(logs, Replacements()) == ["learner-1", "learner-2"]
    assert learners_in(logs / "none", Replacements()) == []

"""One process at a time has a lock; the next one says that it waits, and gets it when the first is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.file_lock import lock, lock_within

HOLD = (
    "import sys\nfrom toolkit.file_lock import lock\n"
    "file = open(sys.argv[1], 'ab')\nlock(file, lambda: None)\nprint('held', flush=True)\nsys.stdin.read()\n"
)


def test_who_comes_second_is_asked_to_wait_and_gets_the_lock_of_a_process_that_was_killed(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    argv = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        waits: list[str] = []

        def on_wait() -> None:
            waits.append("waiting")
            holder.kill()

        with file.open("ab") as mine:
            lock(mine, on_wait)
    assert waits == ["waiting"]


def test_a_lock_that_is_free_is_taken_at_once(tmp_path: Path) -> None:
    waits: list[str] = []
    with (tmp_path / "lock").open("ab") as mine:
        lock(mine, lambda: waits.append("waiting"))
    assert waits == []


def test_a_lock_that_is_not_given_back_in_time_is_an_error(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("ab") as theirs, (tmp_path / "lock").open("ab") as mine:
        lock_within(theirs, 0)
        with pytest.raises(TimeoutError):
            lock_within(mine, 0.1)
        theirs.close()
        lock_within(mine, 0.1)

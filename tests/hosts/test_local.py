"""This machine as a shell."""

from __future__ import annotations

import os
import time

import pytest

from toolkit.hosts import local
from toolkit.hosts.local import LocalShell
from toolkit.process import CommandFailed, Result

SHELL = LocalShell()


def test_a_command_and_what_it_leaves() -> None:
    script = "cat; echo err >&2; exit 3"
    assert SHELL.run(["sh", "-c", script], data=b"in") == Result(("sh", "-c", script), 3, "in", "err\n")
    assert SHELL.run(["sleep", "600"], timeout=0.2).status == 124


def test_lines_of_both_streams() -> None:
    lines: list[str] = []
    assert SHELL.stream(["sh", "-c", "echo one; echo two >&2; exit 4"], lines.append) == 4
    assert lines == ["one", "two"]


def test_what_is_fed_is_read_and_a_bad_end_is_a_result() -> None:
    assert SHELL.feed(["cat"], [b"a", b"b"]).output == "ab"
    assert SHELL.feed(["sh", "-c", "exit 5"], [b"x" * 65536] * 50).status == 5


def test_output_in_pieces_and_a_bad_end() -> None:
    with SHELL.read(["printf", "abc"]) as pieces:
        assert b"".join(pieces) == b"abc"
    with pytest.raises(CommandFailed) as caught, SHELL.read(["sh", "-c", "echo why >&2; exit 6"]) as pieces:
        list(pieces)
    assert (caught.value.result.status, caught.value.result.errors) == (6, "why\n")


@pytest.mark.parametrize("late", [0, 0.3])
def test_leaving_early_ends_the_command_and_its_children(monkeypatch: pytest.MonkeyPatch, late: float) -> None:
    """Also where this process comes to it late: the command must not have ended by itself meanwhile."""
    end = local._end
    monkeypatch.setattr(local, "_end", lambda *words: (time.sleep(late), end(*words)))
    with SHELL.read(["sh", "-c", "sleep 600 & echo $!; cat /dev/zero"]) as pieces:
        child = int(next(pieces).split(b"\n")[0])
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        with open(f"/proc/{child}/stat") as stat:  # noqa: PTH123
            if stat.read().split()[2] == "Z":  # dead; where there is no init, no one collects it
                return
        time.sleep(0.02)
    raise AssertionError("the child is still there")


def test_a_program_that_is_not_there_is_a_status_everywhere() -> None:
    lines: list[str] = []
    words = ["no-such-program"]
    expected = "no-such-program: no such command on this machine"
    assert (SHELL.run(words).status, SHELL.stream(words, lines.append), SHELL.feed(words, []).status) == (127, 127, 127)
    assert lines == [expected]
    with pytest.raises(CommandFailed, match=expected), SHELL.read(words) as pieces:
        list(pieces)

"""This machine as a shell."""

from __future__ import annotations

from toolkit.hosts.local import LocalShell
from toolkit.process import Result

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


def test_a_program_that_is_not_there_is_a_status_everywhere() -> None:
    lines: list[str] = []
    words = ["no-such-program"]
    expected = "no-such-program: no such command on this machine"
    assert (SHELL.run(words).status, SHELL.stream(words, lines.append), SHELL.feed(words, []).status) == (127, 127, 127)
    assert lines == [expected]

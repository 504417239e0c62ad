"""Commands of this machine, run for real: what comes back, and what stays behind when one is given up."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.process import CommandFailed, converse, feed, run, stream


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def gone(pid: int) -> bool:
    """Whether the process ends within five seconds."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_output_errors_and_status_come_back_apart() -> None:
    result = run(python("import sys; print('out'); print('bad', file=sys.stderr); sys.exit(3)"), check=False)
    assert (result.status, result.ok, result.output, result.errors) == (3, False, "out\n", "bad\n")


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert run(python(r"import sys; sys.stdout.buffer.write(b'a\xffb')")).output == "a\N{REPLACEMENT CHARACTER}b"


def test_a_command_reads_what_it_is_given_and_else_nothing() -> None:
    echo = python("import sys; print(sys.stdin.read())")
    assert run(echo, data=b"given").output == "given\n"
    assert run(echo).output == "\n"


@pytest.mark.parametrize(
    ("argv", "timeout", "status", "words"),
    [
        (["no-such-command-here", "x"], None, 127, "no-such-command-here: no such command on this machine"),
        (["sleep", "60"], 0.2, 124, "no answer in 0.2 s"),
    ],
)
def test_what_cannot_run_or_does_not_end_has_a_shells_status(
    argv: list[str], timeout: float | None, status: int, words: str
) -> None:
    result = run(argv, check=False, timeout=timeout)
    assert (result.status, result.errors) == (status, words)


def test_a_failure_names_the_command_as_it_can_be_pasted() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(["sh", "-c", "echo why >&2; exit 4"])
    assert str(caught.value) == "sh -c 'echo why >&2; exit 4': exit status 4\nwhy"
    assert caught.value.result.status == 4


def test_lines_are_given_as_they_come_errors_among_them() -> None:
    lines: list[str] = []
    program = r"import sys; print('a', flush=True); print('b', file=sys.stderr, flush=True); sys.stdout.write('\xe4')"
    assert stream([*python(program)], lines.append, environment={**os.environ, "PYTHONIOENCODING": "utf-8"}) == 0
    assert lines == ["a", "b", "ä"]
    assert stream(python("raise SystemExit(6)"), lines.append) == 6


def test_a_command_that_is_given_up_ends_with_all_its_children() -> None:
    pids: list[int] = []

    def give_up(line: str) -> None:
        pids.extend(map(int, line.split()))
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        stream(["sh", "-c", "sleep 60 & echo $$ $!; wait"], give_up)
    assert time.monotonic() - began < 10
    assert len(pids) == 2
    assert [gone(pid) for pid in pids] == [True, True]


def test_pieces_are_fed_to_a_command_in_order() -> None:
    result = feed(["cat"], [b"one ", b"two"])
    assert (result.status, result.output) == (0, "one two")


def test_a_command_that_ends_before_it_has_read_all_says_why() -> None:
    with pytest.raises(CommandFailed) as caught:
        feed(["sh", "-c", "echo full >&2; exit 5"], (b"x" * 65536 for _ in range(64)))
    assert (caught.value.result.status, caught.value.result.errors) == (5, "full\n")


def test_lines_come_while_a_command_is_fed_and_afterwards() -> None:
    """Each piece waits for the line that answers the one before, so none could come only at the end."""
    lines: list[str] = []

    def pieces() -> Iterator[bytes]:
        yield b"one\n"
        for _ in range(200):
            yield b""  # lines are passed on between pieces
            if lines:
                break
            time.sleep(0.05)
        yield b"two\n" if lines == ["got one"] else b"too late\n"

    program = "import sys\nfor line in sys.stdin: print('got', line.strip(), flush=True)\nprint('end', file=sys.stderr)"
    assert converse(python(program), pieces(), lines.append) == 0
    assert lines == ["got one", "got two", "end"]
    assert converse(["sh", "-c", "echo full; exit 5"], (b"x" * 65536 for _ in range(64)), lines.append) == 5
    assert lines[-1] == "full"


def test_a_command_whose_input_fails_is_killed_before_its_input_ends(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise OSError("gone")

    whole = tmp_path / "whole"
    with pytest.raises(OSError, match="gone"):
        converse(["sh", "-c", f"cat > /dev/null; touch {whole}"], pieces(), print)
    assert not whole.exists()


def test_a_conversation_that_is_given_up_ends_with_all_its_children() -> None:
    pids: list[int] = []

    def give_up(line: str) -> None:
        pids.extend(map(int, line.split()))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        converse(["sh", "-c", "sleep 60 & echo $$ $!; wait"], [b""], give_up)
    assert [gone(pid) for pid in pids] == [True, True]


def test_a_signal_is_a_negative_status() -> None:
    assert run(["sh", "-c", "kill -KILL $$"], check=False).status == -signal.SIGKILL

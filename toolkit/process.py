"""Run commands on this machine: an argv list in, a `Result` out; no shell.

A command sees what `toolkit.child_environment` allows of this process's variables, unless it gets its own.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO

from toolkit.child_environment import child_environment, program_of

_GRACE_SECONDS = 5


@dataclass(frozen=True)
class Result:
    """A finished command: its argv, exit status and output (bytes that are not UTF-8 are replaced)."""

    argv: tuple[str, ...]
    status: int
    output: str
    errors: str

    @property
    def ok(self) -> bool:
        """Whether the status is 0."""
        return self.status == 0

    @property
    def said(self) -> str:
        """What it printed about its failure: its errors, or its output if there are none."""
        return (self.errors or self.output).strip()


class CommandFailed(Exception):
    """A command that had to succeed failed; has its `result`."""

    def __init__(self, result: Result) -> None:
        super().__init__(f"{shlex.join(result.argv)}: exit status {result.status}\n{result.errors.strip()}")
        self.result = result


def run(
    argv: Sequence[str],
    *,
    check: bool = True,
    data: bytes | None = None,
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Result:
    """Run `argv` until it exits.

    Args:
        check: raise `CommandFailed` if the status is not 0. Default true.
        data: the command's input. Default none.
        timeout: seconds; then the command is killed and the status is 124, as with `timeout`. Default none.
        environment: all that the command sees. Default: what `child_environment` allows.
    """
    stdin = subprocess.DEVNULL if data is None else subprocess.PIPE
    try:
        process = _start(argv, environment, stdin, subprocess.PIPE, subprocess.PIPE)
    except FileNotFoundError:
        result = Result(tuple(argv), 127, "", f"{argv[0]}: no such command on this machine")
    else:
        result = _finish(process, argv, data, timeout)
    if check and not result.ok:
        raise CommandFailed(result)
    return result


def start(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start `argv` with pipes to its input and from its output and errors, for a conversation: whoever starts it reads
    both, and ends it. Raises `FileNotFoundError` if there is no such command."""
    return _start(argv, None, subprocess.PIPE, subprocess.PIPE, subprocess.PIPE)


def _start(
    argv: Sequence[str],
    environment: Mapping[str, str] | None,
    stdin: int,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
) -> subprocess.Popen[bytes]:
    """Start `argv` in a session of its own: a Ctrl-C on the terminal reaches only this process."""
    if environment is None:
        environment = child_environment(program_of(argv))
    return subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=stderr, env=environment, start_new_session=True)


def _finish(process: subprocess.Popen[bytes], argv: Sequence[str], data: bytes | None, timeout: float | None) -> Result:
    try:
        output, errors = process.communicate(data, timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return Result(tuple(argv), 124, _text(output), f"no answer in {timeout} s")
    except KeyboardInterrupt:
        # If a client is killed, the engine may complete its request and nobody cleans up: let a short command exit.
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
        raise
    return Result(tuple(argv), process.returncode, _text(output), _text(errors))


def stream(
    argv: Sequence[str],
    on_line: Callable[[str], None],
    *,
    environment: Mapping[str, str] | None = None,
    data: str | None = None,
) -> int:
    """Run `argv` and pass each line of its output and errors to `on_line` as it arrives; returns the status.

    `data` is its input: a few KiB, which fit into a pipe; default none. `environment` is as for `run`. An exception
    ends the command, which has a session of its own, in this process's order.
    """
    stdin = subprocess.DEVNULL if data is None else subprocess.PIPE
    process = _start(argv, environment, stdin, subprocess.PIPE, subprocess.STDOUT)
    assert process.stdout is not None
    lines = io.TextIOWrapper(process.stdout, errors="replace")
    try:
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write((data or "").encode())
        for line in lines:
            on_line(line.rstrip("\n"))
        return process.wait()
    finally:
        if process.poll() is None:
            # The whole session: a program such as mmdebstrap waits for its own children before it cleans up.
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        lines.close()


def feed(
    argv: Sequence[str], pieces: Iterable[bytes], *, check: bool = True, environment: Mapping[str, str] | None = None
) -> Result:
    """Run `argv` and write `pieces` to its input as they arrive; `check` and `environment` are as for `run`.

    Its output goes to files meanwhile: a pipe that no one reads would fill, and both would block forever.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = _start(argv, environment, subprocess.PIPE, output, errors)
        assert process.stdin is not None
        try:
            with contextlib.suppress(BrokenPipeError):  # it exited early: its status and output say why
                for piece in pieces:
                    process.stdin.write(piece)
                process.stdin.close()
            status = process.wait()
        finally:
            if process.poll() is None:  # before its input is closed: partial input must not look complete
                process.kill()
                process.wait()
        output.seek(0)
        errors.seek(0)
        result = Result(tuple(argv), status, _text(output.read()), _text(errors.read()))
    if check and not result.ok:
        raise CommandFailed(result)
    return result


def converse(
    argv: Sequence[str],
    pieces: Iterable[bytes],
    on_line: Callable[[str], None],
    *,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run `argv`, write `pieces` to its input, and pass each line of its output and errors to `on_line` meanwhile, in
    this thread; returns the status. `environment` is as for `run`. An exception kills it and what it started."""
    process = _start(argv, environment, subprocess.PIPE, subprocess.PIPE, subprocess.STDOUT)
    assert process.stdin is not None and process.stdout is not None
    lines: SimpleQueue[str | None] = SimpleQueue()
    reader = threading.Thread(target=_put_lines, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        with contextlib.suppress(BrokenPipeError):  # it exited early: its status and output say why
            for piece in pieces:
                process.stdin.write(piece)
                process.stdin.flush()
                _pass_on(lines, on_line)
            process.stdin.close()
        while (line := lines.get()) is not None:
            on_line(line)
        return process.wait()
    finally:
        if process.poll() is None:  # before its input is closed: partial input must not look complete
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        reader.join(_GRACE_SECONDS)


def _put_lines(stream: IO[bytes], lines: SimpleQueue[str | None]) -> None:
    """Every line without its end, then None."""
    with io.TextIOWrapper(stream, errors="replace") as text:
        for line in text:
            lines.put(line.rstrip("\n"))
    lines.put(None)


def _pass_on(lines: SimpleQueue[str | None], on_line: Callable[[str], None]) -> None:
    """What is there now; the end stays, for whoever waits for it."""
    while not lines.empty():
        line = lines.get()
        if line is None:
            lines.put(None)
            return
        on_line(line)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")

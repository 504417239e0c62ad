"""This machine as a `Shell`."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from toolkit import process
from toolkit.child_environment import child_environment, program_of
from toolkit.process import CommandFailed, Result

_PIECE = 1 << 16
_GRACE_SECONDS = 5


class LocalShell:
    """Commands on the machine that the tool runs on."""

    name = "this machine"

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        """See `Shell.run`."""
        return process.run(argv, check=False, data=data, timeout=timeout)

    def stream(self, argv: Sequence[str], on_line: Callable[[str], None]) -> int:
        """See `Shell.stream`."""
        try:
            return process.stream(argv, on_line)
        except FileNotFoundError as error:
            if error.filename != argv[0]:  # what `on_line` may raise is its caller's
                raise
            on_line(_missing(argv).errors)
            return 127

    def feed(self, argv: Sequence[str], pieces: Iterable[bytes]) -> Result:
        """See `Shell.feed`."""
        try:
            return process.feed(argv, pieces)
        except CommandFailed as failed:
            return failed.result
        except FileNotFoundError as error:
            if error.filename != argv[0]:
                raise
            return _missing(argv)

    @contextmanager
    def read(self, argv: Sequence[str]) -> Iterator[Iterator[bytes]]:
        """See `Shell.read`."""
        with tempfile.TemporaryFile() as errors:
            try:
                child = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=child_environment(program_of(argv)),
                    start_new_session=True,
                )
            except FileNotFoundError:
                raise CommandFailed(_missing(argv)) from None
            assert child.stdout is not None
            try:
                yield _pieces(child, child.stdout, errors, argv)
            finally:
                _end(child, child.stdout)

    @contextmanager
    def forward(self, port: int) -> Iterator[int]:
        """See `Shell.forward`."""
        yield port

    def close(self) -> None:
        """Nothing to close."""


def _missing(argv: Sequence[str]) -> Result:
    return Result(tuple(argv), 127, "", f"{argv[0]}: no such command on this machine")


def _pieces(
    child: subprocess.Popen[bytes], output: IO[bytes], errors: IO[bytes], argv: Sequence[str]
) -> Iterator[bytes]:
    while piece := output.read(_PIECE):
        yield piece
    if child.wait() != 0:
        errors.seek(0)
        raise CommandFailed(Result(tuple(argv), child.returncode, "", errors.read().decode("utf-8", "replace")))


def _end(child: subprocess.Popen[bytes], output: IO[bytes]) -> None:
    """End the command with all that it started, in its own order where it does not take long."""
    if child.poll() is not None:
        output.close()
        return
    os.killpg(child.pid, signal.SIGTERM)
    output.close()  # not before: of a closed output a command may end by itself, and what it started would be left
    try:
        child.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()

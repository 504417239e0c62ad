"""One command over a master: a client of the system's ssh, which hands its pipes to the master and waits for the end.

A client that is killed leaves the command running, as a closed channel does; so it is started and ended as in
`toolkit.hosts.ssh.remote_command`.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

from toolkit.child_environment import child_environment
from toolkit.hosts.openssh.arguments import run_line
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.command import (
    GRACE_SECONDS,
    LONGEST_GREETING,
    ConnectionDown,
    EndableCommand,
    NoSession,
    seconds_left,
)
from toolkit.hosts.ssh.drain import Drain
from toolkit.hosts.ssh.remote_command import start_line

if TYPE_CHECKING:
    from toolkit.hosts.openssh.master import Master

_PIECE = 1 << 16
_START_SECONDS = 60
"""For the account's login shell, which may have much to read; a host that is lost ends the master before."""
SSH_FAILED = 255
"""ssh's own status where it fails; also where the command has it, or was ended by a signal."""


class Session(EndableCommand):
    """See `RunningCommand`. Creating one starts the command, and returns once its process ID is known.

    Raises `NoSession` and `ConnectionDown`.
    """

    _connection: Master

    def __init__(self, master: Master, argv: Sequence[str], *, merged: bool = False) -> None:
        self._connection, self._argv = master, tuple(argv)
        self._process = subprocess.Popen(
            run_line(master.control, master.to.host, start_line(argv, merged=merged)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=child_environment("ssh"),
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._input, self._output = self._process.stdin, self._process.stdout
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN | select.POLLHUP)
        self._errors = Drain(_Reader(self._process.stderr))
        self._errors.start()
        try:
            self._head = self._greeting(time.monotonic() + _START_SECONDS)
            if self.pid is None and len(self._head) <= LONGEST_GREETING:  # its output has ended
                self._see_why_it_ended()
        except TimeoutError:
            self.close()
            why = f"its login shell did not start the command within {_START_SECONDS:g} s"
            raise ssh_errors.unreachable(master.to, why) from None
        except BaseException:
            self.close()
            raise

    def write(self, piece: bytes) -> bool:
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[self._input.write(rest) or 0 :]
        except (OSError, ValueError):  # it has ended, or `close` came first
            return False
        return True

    def end_input(self) -> None:
        with contextlib.suppress(OSError):
            self._input.close()

    def pieces(self, until: float | None = None) -> Iterator[bytes]:
        head, self._head = self._head, b""
        if head:
            yield head
        while piece := self._receive(until):
            yield piece

    def status(self, until: float | None = None) -> int:
        self._wait_for_end(until)
        status = self._process.returncode
        if status == SSH_FAILED and not self._connection.is_alive():
            raise self._cut()
        return status if status >= 0 else SSH_FAILED

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.end_input()
        self._output.close()

    def _see_why_it_ended(self) -> None:
        if self._process.wait() != SSH_FAILED:
            return
        self._errors.join(GRACE_SECONDS)
        if not self._connection.is_alive():
            raise ConnectionDown
        raise NoSession((self.errors().strip().splitlines() or ["ssh gave no reason"])[0])

    def _receive(self, until: float | None) -> bytes:
        left = seconds_left(until)
        if not self._poll.poll(None if left is None else left * 1000):
            raise TimeoutError
        return os.read(self._output.fileno(), _PIECE)

    def _wait(self, seconds: float | None) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.returncode is not None


class _Reader:
    """Reads a pipe, and closes it at its end: the thread that reads it is the last to need it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def __call__(self, size: int) -> bytes:
        piece = os.read(self._stream.fileno(), size)
        if not piece:
            self._stream.close()
        return piece

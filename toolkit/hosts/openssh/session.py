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
from toolkit.errors import ToolkitError
from toolkit.hosts.openssh.arguments import run_line
from toolkit.hosts.ssh.command import ConnectionDown, NoSession
from toolkit.hosts.ssh.drain import Drain
from toolkit.hosts.ssh.remote_command import ANNOUNCED, start_line

if TYPE_CHECKING:
    from toolkit.hosts.openssh.master import Master

_PIECE = 1 << 16
_GRACE_SECONDS = 5
_START_SECONDS = 60
"""For the account's login shell, which may have much to read; a host that is lost ends the master before."""
_LONGEST_GREETING = 1 << 16
SSH_FAILED = 255
"""ssh's own status where it fails; also where the command has it, or was ended by a signal."""


class Session:
    """See `RunningCommand`. Creating one starts the command, and returns once its process ID is known.

    Raises `NoSession` and `ConnectionDown`.
    """

    def __init__(self, master: Master, argv: Sequence[str], *, merged: bool = False) -> None:
        self._master, self._argv = master, tuple(argv)
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
        self._pid: int | None = None
        self._errors = Drain(_Reader(self._process.stderr))
        self._errors.start()
        try:
            self._head = self._greeting()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int | None:
        """See `RunningCommand.pid`."""
        return self._pid

    def write(self, piece: bytes) -> bool:
        """See `RunningCommand.write`."""
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[self._input.write(rest) or 0 :]
        except (OSError, ValueError):  # it has ended, or `close` came first
            return False
        return True

    def end_input(self) -> None:
        """See `RunningCommand.end_input`."""
        with contextlib.suppress(OSError):
            self._input.close()

    def pieces(self, until: float | None = None) -> Iterator[bytes]:
        """See `RunningCommand.pieces`."""
        head, self._head = self._head, b""
        if head:
            yield head
        while piece := self._receive(until):
            yield piece

    def status(self, until: float | None = None) -> int:
        """See `RunningCommand.status`."""
        try:
            status = self._process.wait(_left(until))
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        self._errors.join(_left(until))
        if status == SSH_FAILED and not self._master.is_alive():
            raise self._master.cut(" ".join(self._argv)[:60])
        return status if status >= 0 else SSH_FAILED

    def errors(self) -> str:
        """See `RunningCommand.errors`."""
        return self._errors.text()

    def end(self, *, at_once: bool = False) -> None:
        """See `RunningCommand.end`."""
        if self._process.poll() is not None or self._pid is None or not self._master.is_connected:
            return
        for signal in ("KILL",) if at_once else ("TERM", "KILL"):
            self._master.signal([self._pid], signal)
            if self._discard(time.monotonic() + _GRACE_SECONDS):
                return

    def close(self) -> None:
        """See `RunningCommand.close`."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.end_input()
        self._output.close()

    def _greeting(self) -> bytes:
        """Output up to the command's process ID, and what follows; all of it if there is none."""
        head, until = b"", time.monotonic() + _START_SECONDS
        while True:
            try:
                piece = self._receive(until)
            except TimeoutError:
                raise self._master.no_start(_START_SECONDS) from None
            head += piece
            if found := ANNOUNCED.search(head):
                self._pid = int(found[1])
                return head[found.end() :]
            if not piece:
                self._see_why_it_ended()
            if not piece or len(head) > _LONGEST_GREETING:
                return head  # a login shell that runs nothing, such as nologin: what it says is all there is

    def _see_why_it_ended(self) -> None:
        if self._process.wait() != SSH_FAILED:
            return
        self._errors.join(_GRACE_SECONDS)
        if not self._master.is_alive():
            raise ConnectionDown
        raise NoSession((self.errors().strip().splitlines() or ["ssh gave no reason"])[0])

    def _receive(self, until: float | None) -> bytes:
        left = _left(until)
        if not self._poll.poll(None if left is None else left * 1000):
            raise TimeoutError
        return os.read(self._output.fileno(), _PIECE)

    def _discard(self, until: float) -> bool:
        """Throw away what still comes, so that a command that writes can end; whether it has ended."""
        try:
            while self._receive(until):
                pass
            self._process.wait(_left(until))
        except (TimeoutError, subprocess.TimeoutExpired):
            return False
        except ToolkitError:
            return True
        return True


class _Reader:
    """Reads a pipe, and closes it at its end: the thread that reads it is the last to need it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def __call__(self, size: int) -> bytes:
        piece = os.read(self._stream.fileno(), size)
        if not piece:
            self._stream.close()
        return piece


def _left(until: float | None) -> float | None:
    return None if until is None else max(until - time.monotonic(), 0.001)

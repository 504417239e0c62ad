"""One command on a connection: its output in pieces, its status, and a way to end it reliably."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import paramiko

from toolkit.hosts.ssh.command import EndableCommand, seconds_left
from toolkit.hosts.ssh.drain import Drain
from toolkit.hosts.ssh.remote_command import start_line

if TYPE_CHECKING:
    from toolkit.hosts.ssh.connection import HostConnection

_PIECE = 1 << 16
_ERRORS = (paramiko.SSHException, EOFError, OSError)
ENDED_BY_SIGNAL = 255
"""The status if sshd reports none: the starting shell itself was killed."""


class Session(EndableCommand):
    """A command that runs on `channel`. See `RunningCommand`."""

    _connection: HostConnection

    def __init__(self, connection: HostConnection, channel: Any, argv: Sequence[str], *, merged: bool = False) -> None:
        self._connection, self._channel, self._argv = connection, channel, tuple(argv)
        self._errors = Drain(channel.recv_stderr, ends=_ERRORS)
        try:
            channel.exec_command(start_line(argv, merged=merged))
        except _ERRORS:
            raise self._cut() from None
        self._errors.start()

    def write(self, piece: bytes) -> bool:
        try:
            self._channel.sendall(piece)
        except _ERRORS:
            if self._connection.is_connected:
                return False
            raise self._cut() from None
        return True

    def end_input(self) -> None:
        with contextlib.suppress(*_ERRORS):
            self._channel.shutdown_write()

    def pieces(self, until: float | None = None) -> Iterator[bytes]:
        if head := self._greeting(until):
            yield head
        while piece := self._receive(until):
            yield piece

    def status(self, until: float | None = None) -> int:
        self._wait_for_end(until)
        status = int(self._channel.recv_exit_status())
        if status != -1:
            return status
        if not self._connection.is_connected:
            raise self._cut()
        return ENDED_BY_SIGNAL

    def close(self) -> None:
        self._channel.close()

    def _receive(self, until: float | None) -> bytes:
        self._channel.settimeout(seconds_left(until))
        try:
            return bytes(self._channel.recv(_PIECE))
        except TimeoutError:
            raise
        except _ERRORS:
            raise self._cut() from None

    def _wait(self, seconds: float | None) -> bool:
        return bool(self._channel.status_event.wait(seconds))

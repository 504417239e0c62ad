"""One command on a connection: its output in pieces, its status, and a way to end it reliably."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import paramiko

from toolkit.errors import ToolkitError
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.drain import Drain
from toolkit.hosts.ssh.remote_command import ANNOUNCED, signal_line, start_line

if TYPE_CHECKING:
    from toolkit.hosts.ssh.connection import HostConnection

_PIECE = 1 << 16
_GRACE_SECONDS = 5
_LONGEST_GREETING = 1 << 16
ENDED_BY_SIGNAL = 255
"""The status if sshd reports none: the starting shell itself was killed."""


class Session:
    """A command that runs on `channel`. Each method raises `ToolkitError` (S100) if the connection is lost."""

    def __init__(
        self,
        connection: HostConnection,
        channel: Any,
        argv: Sequence[str],
        *,
        merged: bool = False,
    ) -> None:
        self._connection, self._channel, self._argv = connection, channel, tuple(argv)
        self._pid: int | None = None
        self._errors = Drain(channel.recv_stderr, ends=(paramiko.SSHException, EOFError, OSError))
        try:
            channel.exec_command(start_line(argv, merged=merged))
        except (paramiko.SSHException, EOFError, OSError):
            raise self._cut() from None
        self._errors.start()

    @property
    def pid(self) -> int | None:
        """The command's process on the host, its group's leader; None before it is known."""
        return self._pid

    def write(self, piece: bytes) -> bool:
        """Give the command `piece` to read; false where it reads no more."""
        try:
            self._channel.sendall(piece)
        except (paramiko.SSHException, EOFError, OSError):
            if self._connection.is_connected:
                return False
            raise self._cut() from None
        return True

    def end_input(self) -> None:
        """Tell the command that nothing more comes."""
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            self._channel.shutdown_write()

    def pieces(self, until: float | None = None) -> Iterator[bytes]:
        """The command's output to its end; raises `TimeoutError` at `until` on the monotonic clock."""
        head = b""
        while self._pid is None:
            piece = self._receive(until)
            head += piece
            if found := ANNOUNCED.search(head):
                self._pid, head = int(found[1]), head[found.end() :]
            elif not piece or len(head) > _LONGEST_GREETING:
                break  # a login shell that runs nothing, such as nologin: what it says is all there is
        if head:
            yield head
        while piece := self._receive(until):
            yield piece

    def status(self, until: float | None = None) -> int:
        """The command's exit status, once it has ended; raises `TimeoutError` at `until`."""
        if not self._channel.status_event.wait(_left(until)):
            raise TimeoutError
        self._errors.join(_left(until))
        status = int(self._channel.recv_exit_status())
        if status != -1:
            return status
        if not self._connection.is_connected:
            raise self._cut()
        return ENDED_BY_SIGNAL

    def errors(self) -> str:
        """What the command has said on its standard error so far."""
        return self._errors.text()

    def end(self, *, at_once: bool = False) -> None:
        """End the command on the host if it still runs: TERM, and KILL after 5 s; or KILL at once."""
        if self._channel.status_event.is_set() or self._pid is None or not self._connection.is_connected:
            return
        for signal in ("KILL",) if at_once else ("TERM", "KILL"):
            send_signal(self._connection, [self._pid], signal)
            if self._discard(time.monotonic() + _GRACE_SECONDS):
                return

    def close(self) -> None:
        """Let go of the channel."""
        self._channel.close()

    def _receive(self, until: float | None) -> bytes:
        self._channel.settimeout(_left(until))
        try:
            return bytes(self._channel.recv(_PIECE))
        except TimeoutError:
            raise
        except (paramiko.SSHException, EOFError, OSError):
            raise self._cut() from None

    def _discard(self, until: float) -> bool:
        """Throw away what still comes, so that a command that writes can end; whether it has ended."""
        try:
            while self._receive(until):
                pass
            return bool(self._channel.status_event.wait(_left(until)))
        except TimeoutError:
            return False
        except ToolkitError:
            return True

    def _cut(self) -> ToolkitError:
        return ssh_errors.cut(self._connection.to, self._connection.why_down(), " ".join(self._argv)[:60])


def send_signal(connection: HostConnection, pids: Sequence[int], signal: str) -> None:
    """Send `signal` to commands on the host, within 5 s; errors are ignored, as a lost host runs none of them."""
    with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
        channel = connection.transport.open_session(timeout=_GRACE_SECONDS)
        try:
            channel.exec_command(signal_line(pids, signal))
            channel.status_event.wait(_GRACE_SECONDS)
        finally:
            channel.close()


def _left(until: float | None) -> float | None:
    return None if until is None else max(until - time.monotonic(), 0.001)

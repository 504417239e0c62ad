"""A command on a host, and the connection that it runs over, as the pool and the shells see them.

Fabric's connection (`connection`) and a master of the system's ssh (`toolkit.hosts.openssh.master`) are both.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from toolkit.errors import ToolkitError
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.drain import Drain
from toolkit.hosts.ssh.remote_command import ANNOUNCED

GRACE_SECONDS = 5
LONGEST_GREETING = 1 << 16
"""Bytes that a login shell may print before it starts the command."""


class NoSession(Exception):
    """The connection is up, and the host starts no further command on it."""


class SilentHost(NoSession):
    """The connection looks up, and the host does not answer: it may stand still."""


class ConnectionDown(Exception):
    """The connection was found to be down before the command was started."""


class RunningCommand(Protocol):
    """A command that runs on a host. Each method raises `ToolkitError` (S100) where the connection is cut."""

    @property
    def pid(self) -> int | None:
        """The command's process on the host, its group's leader; None before it is known."""
        ...

    def write(self, piece: bytes) -> bool:
        """Give the command `piece` to read; false where it reads no more."""
        ...

    def end_input(self) -> None:
        """Tell the command that nothing more comes."""
        ...

    def pieces(self, until: float | None = None) -> Iterator[bytes]:
        """The command's output to its end; raises `TimeoutError` at `until` on the monotonic clock."""
        ...

    def status(self, until: float | None = None) -> int:
        """The command's exit status, once it has ended; raises `TimeoutError` at `until`."""
        ...

    def errors(self) -> str:
        """What the command has said on its standard error so far."""
        ...

    def end(self, *, at_once: bool = False) -> None:
        """End the command on the host if it still runs: TERM, and KILL after 5 s; or KILL at once."""
        ...

    def close(self) -> None:
        """Release local resources."""
        ...


class SharedConnection(Protocol):
    """A connection to `to`, on which several commands run at the same time."""

    to: Destination

    @property
    def is_connected(self) -> bool:
        """Whether it is up, as far as it is known without asking the host."""
        ...

    def start(self, argv: Sequence[str], *, merged: bool = False) -> RunningCommand:
        """Start `argv`; `merged`: errors as output.

        Raises `NoSession` and `ConnectionDown`.
        """
        ...

    def signal(self, pids: Sequence[int], signal: str) -> None:
        """Send `signal` (`TERM`, `KILL`) to commands on the host, within 5 s; one that is gone runs none of them."""
        ...

    def tunnel(self, port: int) -> Any:
        """A connection to `port` of the host's loopback, as `forward` joins them. Raises `ToolkitError` (S100)."""
        ...

    def why_down(self) -> str:
        """Why it is up no more, as far as it is known."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class EndableCommand(RunningCommand):
    """A command that tells its process ID first (see `remote_command`), so that it can be ended on its host."""

    pid: int | None = None
    _argv: tuple[str, ...]
    _connection: SharedConnection
    _errors: Drain

    def errors(self) -> str:
        return self._errors.text()

    def end(self, *, at_once: bool = False) -> None:
        if self._wait(0) or self.pid is None or not self._connection.is_connected:
            return
        for signal in ("KILL",) if at_once else ("TERM", "KILL"):
            self._connection.signal([self.pid], signal)
            if self._discard(time.monotonic() + GRACE_SECONDS):
                return

    def _discard(self, until: float) -> bool:
        """Throw away what still comes, so that a command that writes can end; whether it has ended."""
        try:
            while self._receive(until):
                pass
            return self._wait(seconds_left(until))
        except TimeoutError:
            return False
        except ToolkitError:
            return True

    def _greeting(self, until: float | None) -> bytes:
        """Wait for the process ID; what has come behind it, or all there is without one: that of a login shell that
        runs nothing, such as nologin."""
        head = b""
        while True:
            piece = self._receive(until)
            head += piece
            if found := ANNOUNCED.search(head):
                self.pid = int(found[1])
                return head[found.end() :]
            if not piece or len(head) > LONGEST_GREETING:
                return head

    def _wait_for_end(self, until: float | None) -> None:
        if not self._wait(seconds_left(until)):
            raise TimeoutError
        self._errors.join(seconds_left(until))

    def _cut(self) -> ToolkitError:
        return ssh_errors.cut(self._connection.to, self._connection.why_down(), " ".join(self._argv)[:60])

    @abstractmethod
    def _receive(self, until: float | None) -> bytes:
        """A piece of output, nothing at its end; raises `TimeoutError` at `until`."""

    @abstractmethod
    def _wait(self, seconds: float | None) -> bool:
        """Whether the command ends within `seconds`."""


def seconds_left(until: float | None) -> float | None:
    """Seconds until then on the monotonic clock, at least 1 ms; None: no limit."""
    return None if until is None else max(until - time.monotonic(), 0.001)

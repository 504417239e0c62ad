"""Opens connections, a bounded number at a time, and one to each jump host for all hosts behind it.

sshd refuses some of those that come at once (MaxStartups 10:30:100), so few come at once and a refused one comes
again. A connection through a jump host is a channel of the one connection to it, which no limit of sshd's counts.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from toolkit.errors import ToolkitError
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.known_hosts import HostKey

if TYPE_CHECKING:
    from toolkit.hosts.ssh.connection import HostConnection

T = TypeVar("T")
_PER_JUMP_HOST = 4
_PAUSE_SECONDS = (0.1, 0.6)
_chance = random.SystemRandom()


class Connector:
    """Opens connections; making one does nothing.

    Args:
        connections: how many are being opened at the same time. Default 8; through one jump host at most 4.
        connect: seconds to connect and log in. Default 10.
        lost: seconds without an answer after which a host counts as lost. Default 15.
    """

    def __init__(self, *, connections: int = 8, connect: float = 10, lost: float = 15) -> None:
        self._connect, self._lost = connect, lost
        self._starts = threading.BoundedSemaphore(connections)
        self._per_jump_host = min(connections, _PER_JUMP_HOST)
        self._jump_hosts: dict[Destination, _JumpHost] = {}
        self._lock = threading.Lock()

    def connect(self, to: Destination) -> HostConnection:
        """A new connection to `to`; raises `ToolkitError` (S100). A refused one is tried once more."""
        from toolkit.hosts.ssh.connection import connected  # loads Fabric

        return self._with_way(to, lambda way: connected(to, way, connect=self._connect, lost=self._lost))

    def host_key(self, to: Destination) -> HostKey:
        """The key that `to` shows, without a login; raises `ToolkitError` (S100)."""
        from toolkit.hosts.ssh.connection import shown_key

        return self._with_way(to, lambda way: shown_key(to, way, connect=self._connect))

    def close(self) -> None:
        """Close the connections to jump hosts, and so all connections through them."""
        with self._lock:
            jumps = list(self._jump_hosts.values())
        for jump in jumps:
            jump.close()

    def _with_way(self, to: Destination, act: Callable[[HostConnection | None], T]) -> T:
        if to.through is None:
            with self._starts:
                return twice(lambda: act(None))
        jump = self._jump_host(to.through)
        with jump.starts:
            return twice(lambda: act(jump.connection(self.connect)))

    def _jump_host(self, to: Destination) -> _JumpHost:
        with self._lock:
            return self._jump_hosts.setdefault(to, _JumpHost(to, self._per_jump_host))


class _JumpHost:
    """A jump host and its one connection, opened on first use and reopened if it was lost."""

    def __init__(self, to: Destination, starts: int) -> None:
        self._to = to
        self._connection: HostConnection | None = None
        self._lock = threading.Lock()
        self._failed: tuple[float, ToolkitError] | None = None
        self.starts = threading.BoundedSemaphore(starts)

    def connection(self, connect: Callable[[Destination], HostConnection]) -> HostConnection:
        with self._lock:
            if self._connection is None or not self._connection.is_connected:
                self._connection = self._open(connect)
            return self._connection

    def _open(self, connect: Callable[[Destination], HostConnection]) -> HostConnection:
        """Sixty hosts behind a jump host that is down must not wait for it in turn."""
        if self._failed and time.monotonic() < self._failed[0]:
            raise self._failed[1]
        try:
            return connect(self._to)
        except ToolkitError as error:
            self._failed = (time.monotonic() + 1, error)
            raise

    def close(self) -> None:
        with self._lock:
            if self._connection:
                self._connection.close()


def twice(act: Callable[[], T]) -> T:
    """The result of `act`; if the connection is refused, it is retried once after a short pause."""
    try:
        return act()
    except ToolkitError as error:
        if error.context.get("reason") != "refused":
            raise
    time.sleep(_chance.uniform(*_PAUSE_SECONDS))
    return act()

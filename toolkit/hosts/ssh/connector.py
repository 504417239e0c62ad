"""Opens connections, a bounded number at a time, and one to each jump host for all hosts behind it.

sshd refuses some of those that come at once (MaxStartups 10:30:100), so few come at once and a refused one comes
again. A connection through a jump host is a channel of the one connection to it, which no limit of sshd's counts.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


class Logins:
    """How many logins are under way at the same time: `connections`, through one jump host at most 4."""

    def __init__(self, connections: int) -> None:
        self._starts = threading.BoundedSemaphore(connections)
        self._per_jump_host = min(connections, _PER_JUMP_HOST)
        self._jump_hosts: dict[Destination, JumpHostLogins] = {}
        self._lock = threading.Lock()

    def limited(self, to: Destination, act: Callable[[], T]) -> T:
        """The result of `act`, which logs in to `to`; if it is refused, it is retried once after a short pause."""
        with self.jump_host(to.through).starts if to.through else self._starts:
            try:
                return act()
            except ToolkitError as error:
                if error.context.get("reason") != "refused":
                    raise
            time.sleep(_chance.uniform(*_PAUSE_SECONDS))
            return act()

    def jump_host(self, to: Destination) -> JumpHostLogins:
        """What is known of the jump host `to`."""
        with self._lock:
            return self._jump_hosts.setdefault(to, JumpHostLogins(self._per_jump_host))

    def jump_hosts(self) -> list[JumpHostLogins]:
        """All so far."""
        with self._lock:
            return list(self._jump_hosts.values())


class JumpHostLogins:
    """The logins to a jump host and through it; sixty hosts behind one that is down do not wait for it in turn.

    Attributes:
        connection: that of Fabric, where one is open.
        starts: limits the logins through it.
        lock: held while it is logged in to.
    """

    def __init__(self, starts: int) -> None:
        self.connection: HostConnection | None = None
        self.starts = threading.BoundedSemaphore(starts)
        self.lock = threading.Lock()
        self._failed: tuple[float, ToolkitError] | None = None

    @contextmanager
    def login(self) -> Iterator[None]:
        """A login to it, in the context; raises the error of the last one again for a second."""
        if self._failed and time.monotonic() < self._failed[0]:
            raise self._failed[1]
        try:
            yield
        except ToolkitError as error:
            self._failed = (time.monotonic() + 1, error)
            raise


class Connector:
    """Opens connections; making one does nothing.

    Args:
        connections: how many are being opened at the same time. Default 8; through one jump host at most 4.
        connect: seconds to connect and log in. Default 10.
        lost: seconds without an answer after which a host counts as lost. Default 15.
    """

    def __init__(self, *, connections: int = 8, connect: float = 10, lost: float = 15) -> None:
        self._connect, self._lost = connect, lost
        self._logins = Logins(connections)

    def connect(self, to: Destination) -> HostConnection:
        """A new connection to `to`; raises `ToolkitError` (S100). A refused one is tried once more."""
        from toolkit.hosts.ssh.connection import connected  # loads Fabric

        return self._logins.limited(
            to, lambda: connected(to, self._way(to.through), connect=self._connect, lost=self._lost)
        )

    def host_key(self, to: Destination) -> HostKey:
        """The key that `to` shows, without a login; raises `ToolkitError` (S100)."""
        from toolkit.hosts.ssh.connection import shown_key

        return self._logins.limited(to, lambda: shown_key(to, self._way(to.through), connect=self._connect))

    def close(self) -> None:
        """Close the connections to jump hosts, and so all connections through them."""
        for jump in self._logins.jump_hosts():
            with jump.lock:
                if jump.connection:
                    jump.connection.close()

    def _way(self, to: Destination | None) -> HostConnection | None:
        """The one connection to the jump host `to`, opened on first use and reopened if it was lost."""
        if to is None:
            return None
        jump = self._logins.jump_host(to)
        with jump.lock:
            if jump.connection is None or not jump.connection.is_connected:
                with jump.login():
                    jump.connection = self.connect(to)
            return jump.connection

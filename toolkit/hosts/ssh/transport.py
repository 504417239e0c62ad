"""Paramiko's transport, with one deadline for all that comes before the login, and watched from then on."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import paramiko

from toolkit.hosts.ssh.known_hosts import algorithms

# Python prints what a library logs where no one listens; every failure is an error here.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _Watched:
    """A socket that knows how long its host has owed an answer; paramiko's reader comes by ten times a second."""

    def __init__(self, sock: Any, patience: float) -> None:
        self._sock = sock
        self._patience = patience
        self.heard = time.monotonic()
        self.asked: float | None = None

    def recv(self, size: int) -> bytes:
        try:
            data: bytes = self._sock.recv(size)
        except TimeoutError:
            if self.asked is not None and time.monotonic() - self.asked > self._patience:
                raise ConnectionAbortedError(errno.ECONNABORTED, "no response") from None
            raise
        self.heard, self.asked = time.monotonic(), None
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class WatchedTransport(paramiko.Transport):
    """The protocol on `sock`. `SSHClient` makes it (its `transport_factory`), and gives each step its own time: here
    greeting and key exchange have what is left until `until`, on the clock of `time.monotonic`.

    Args:
        kinds: the types of host key that come first.
        lost: seconds; once `keep_alive` is called, a host that owes an answer for so long counts as gone.
    """

    def __init__(
        self, sock: Any, disabled_algorithms: Any = None, *, until: float, lost: float, kinds: Sequence[str]
    ) -> None:
        # Asked after a third of the time, so two thirds are left to answer.
        self._watched, self._until, self._lost = _Watched(sock, lost * 2 / 3), until, lost
        super().__init__(self._watched, disabled_algorithms=disabled_algorithms)
        self.banner_timeout = self.handshake_timeout = left(until)
        options = self.get_security_options()
        offered = tuple(options.key_types)
        first = [name for name in algorithms(kinds) if name in offered]
        options.key_types = tuple(dict.fromkeys([*first, *offered]))

    def start_client(self, event: threading.Event | None = None, **_: Any) -> None:
        """See paramiko's; a `timeout` does not count."""
        super().start_client(event, left(self._until))

    def why_down(self) -> str:
        """Why it is up no more, as far as it is known."""
        if self._watched.asked is not None and time.monotonic() - self._watched.asked > self._lost / 3:
            return f"no response for {time.monotonic() - self._watched.heard:.0f} s"
        return "closed by the host or the network"

    def keep_alive(self) -> None:
        """Ask a silent host for an answer every third of `lost`; TCP alone would take a quarter of an hour to notice.

        Waits for the first answer: until its child for us is up, sshd counts us among those that are not let in yet,
        of which it bears ten (MaxStartups; sshd.c, startup_pipe). Paramiko's own keepalives wait for none.
        """
        answered = threading.Event()
        threading.Thread(target=self._ask, args=(answered,), name="keepalive", daemon=True).start()
        answered.wait(left(self._until))

    def _ask(self, answered: threading.Event) -> None:
        while self.is_active():
            self._watched.asked = time.monotonic()
            try:
                self.global_request("keepalive@openssh.com", wait=True)
            except (paramiko.SSHException, EOFError, OSError):
                return
            finally:
                answered.set()
            while (silent := time.monotonic() - self._watched.heard) < self._lost / 3 and self.is_active():
                time.sleep(self._lost / 3 - silent)


def left(until: float) -> float:
    """Seconds until then; never nothing, which paramiko takes for no limit."""
    return max(until - time.monotonic(), 0.1)

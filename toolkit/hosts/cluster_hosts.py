"""The hosts of a cluster, and one thing done on many of them: connections opened a few at a time, then kept warm."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from toolkit.cluster.model import Cluster
from toolkit.hosts.local import LocalShell
from toolkit.hosts.parallel import Answer, Job, do_all
from toolkit.hosts.shell import Shell
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.config import destinations
from toolkit.hosts.transport import HostShell, Transport
from toolkit.hosts.transports import TRANSPORTS
from toolkit.process import Result

T = TypeVar("T")
AT_ONCE = 64
_END_SECONDS = 8

__all__ = ["AT_ONCE", "Answer", "Hosts"]


class Hosts:
    """The shells of a cluster's hosts, with warm connections while the context lasts.

    Nothing is connected before the first command. A `local` cluster has one shell: this machine.
    Raises `ToolkitError` for an ssh_config that cannot be followed (C104), and where there is no `ssh` (S100).

    Args:
        transports: by name, those that a host may be reached by. Default: all that there are.

    Attributes:
        shells: in the order of the cluster file.
    """

    def __init__(self, cluster: Cluster, transports: Mapping[str, Callable[[Cluster], Transport]] = TRANSPORTS) -> None:
        self._transports: dict[str, Transport] = {}
        self._ssh: tuple[HostShell, ...] = ()
        if cluster.engine == "ssh":
            ways = destinations(cluster.hosts, cluster.access)
            self._transports = {name: transports[name](cluster) for name in {way.transport for way in ways}}
            self._ssh = tuple(self._transports[way.transport].shell(way) for way in ways)
        self.shells: tuple[Shell, ...] = self._ssh or (LocalShell(),)

    def __enter__(self) -> Hosts:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def shell(self, name: str) -> Shell:
        """The shell of the host `name`; raises `KeyError` where there is none."""
        for shell in self.shells:
            if shell.name == name:
                return shell
        raise KeyError(name)

    def each(
        self, act: Callable[[Shell], T], names: Sequence[str] | None = None, *, at_once: int = AT_ONCE
    ) -> tuple[Answer[T], ...]:
        """Do `act` on the hosts `names` (default all), at most `at_once` at the same time (default 64).

        A host's `ToolkitError` or `CommandFailed` becomes its answer, and the others go on. Any other exception is
        a mistake of ours: it is raised. On a Ctrl-C the commands that run are ended on their hosts, nothing more is
        started, and `KeyboardInterrupt` goes on within seconds; the connections stay, for cleaning up.
        """
        shells = self.shells if names is None else [self.shell(name) for name in names]
        stop = threading.Event()
        jobs = [Job(shell.name, partial(act, _Lent(shell, stop))) for shell in shells]
        return do_all(jobs, at_once=at_once, stop=stop, hurry=self._end_commands)

    def close(self) -> None:
        """Close the connections to all hosts."""
        for shell in self.shells:
            shell.close()
        for transport in self._transports.values():
            transport.close()

    def _end_commands(self) -> None:
        threads = [threading.Thread(target=shell.end_commands, daemon=True) for shell in self._ssh]
        for thread in threads:
            thread.start()
        until = time.monotonic() + _END_SECONDS
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0))


@dataclass(frozen=True)
class _Lent:
    """A shell for one round: once the round is stopped, it starts nothing more."""

    shell: Shell
    stop: threading.Event

    @property
    def name(self) -> str:
        return self.shell.name

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        return self._usable().run(argv, data=data, timeout=timeout)

    def stream(self, argv: Sequence[str], on_line: Callable[[str], None]) -> int:
        return self._usable().stream(argv, on_line)

    def feed(self, argv: Sequence[str], pieces: Iterable[bytes]) -> Result:
        return self._usable().feed(argv, pieces)

    def forward(self, port: int) -> AbstractContextManager[int]:
        return self._usable().forward(port)

    def close(self) -> None:
        self.shell.close()

    def _usable(self) -> Shell:
        if self.stop.is_set():
            raise ssh_errors.interrupted(self.name)
        return self.shell

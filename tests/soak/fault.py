"""What is done to a run of a soak, what undoes it, and which ends of the run are then true."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ..faults.lab_hosts import container, cut_network, heal, on, stop_engine
from ..faults.shell import docker
from ..faults.store import S3Server

_SHORT_SECONDS = 4
"""Shorter than any deadline of the cluster file."""
_TRIES = 20


@dataclass(frozen=True)
class Fault:
    """`do` is given the host and the run. `reason` must then be in the reason of a run that is not COMPLETED, where
    `{host}` is the host's name; without it the run must be COMPLETED.
    """

    variant: str
    name: str
    do: Callable[[str, str], None]
    reason: str = ""


def faults(server: S3Server) -> tuple[Fault, ...]:
    """All of them; `server` is the store that the runs use."""

    def away(host: str, run: str) -> None:
        server.stop()
        time.sleep(_SHORT_SECONDS)
        server.start()

    lost = "{host}"
    return (
        Fault("processes", "a rank is killed", _kill("python program.py"), r"rank \d+ exited with status 137|{host}"),
        Fault("processes", "mpirun is killed", _kill("/usr/bin/mpirun"), r"status 137|no exit status from|{host}"),
        Fault("processes", "a learner's container is killed", _kill_container("learner"), lost),
        Fault("processes", "an agent's container is killed", _kill_container("agent"), lost),
        # A run is submitted over them; once it has started, it needs none.
        Fault("processes", "the connections to a host are cut", _cut_connections, "{host}.*connection lost"),
        Fault("hosts", "an engine is stopped", stop_engine, lost),
        Fault("hosts", "a host stands still", _freeze, lost),
        Fault("hosts", "a host stands still for a moment", _freeze_briefly),
        Fault("network", "a host's network is cut", cut_network, lost),
        Fault("network", "a host's network is cut for a moment", _cut_briefly),
        Fault("network", "the store is away for a moment", away),
    )


VARIANTS = ("none", "processes", "hosts", "network")


def choose(chance: random.Random, variant: str, known: tuple[Fault, ...]) -> Fault | None:
    """One of the variant's; None for the variant without."""
    return None if variant == "none" else chance.choice([one for one in known if one.variant == variant])


def undo(host: str) -> None:
    """The host and its network are as before."""
    docker("unpause", container(host), check=False)
    heal(host)


def _kill(command: str) -> Callable[[str, str], None]:
    """Kill the oldest process of that name; nothing to kill is a fault that came too early or too late."""

    def kill(host: str, _run: str) -> None:
        on(host, f"pkill -9 -o -f '^{command}'", check=False)

    return kill


def _kill_container(kind: str) -> Callable[[str, str], None]:
    """Kill the run's containers of that kind, as soon as there are any."""

    def kill(host: str, run: str) -> None:
        on(host, f"docker ps --quiet --filter name=toolkit-{run}-{kind} | xargs --no-run-if-empty docker kill")

    return kill


def _cut_connections(host: str, run: str) -> None:
    on(host, "pkill -f '^sshd: root@'", check=False)


def _freeze(host: str, run: str) -> None:
    """runc gives up where processes begin faster than it stops them ("unable to freeze")."""
    for _ in range(_TRIES):
        with suppress(AssertionError):
            docker("pause", container(host))
            return
        time.sleep(0.5)
    docker("pause", container(host))


def _freeze_briefly(host: str, run: str) -> None:
    _freeze(host, run)
    time.sleep(_SHORT_SECONDS)
    docker("unpause", container(host))


def _cut_briefly(host: str, run: str) -> None:
    cut_network(host, run)
    time.sleep(_SHORT_SECONDS)
    heal(host)

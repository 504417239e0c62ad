"""What a run needs from a container runtime, as values that name no runtime: mounts, networks, limits, containers.

Every container, volume and network of a run has the label `toolkit.run=<training id>`; by it they are listed
and removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Argv = list[str]
"""A command line, word by word: it is quoted when sent to a host."""

RUN_LABEL = "toolkit.run"
CPUS_LABEL = "toolkit.cpus"
"""On a run's first and last container on a host: the CPUs that its ranks there are bound to, such as `0-3,8`."""

LEASE_LABEL = "toolkit.lease"
"""On a run's containers on a host, and on its volume there before it has any: what the run has leased on the host.
Its value is a record, see `toolkit.leases.model`; a running container with it holds the lease."""

Noun = Literal["container", "network", "volume"]
NOUNS: tuple[Noun, ...] = ("container", "network", "volume")
"""What a run has in a runtime, in the order in which it can be removed."""

OWN_PROCESSES = 4096
"""Processes and threads of one of the tool's own containers: rclone starts a thread for each read delayed by a disk."""


@dataclass(frozen=True)
class Bind:
    """A host folder in a container. `propagation` as in mount(8): `rshared`, `rslave` or empty."""

    source: str
    target: str
    read_only: bool = False
    propagation: str = ""


@dataclass(frozen=True)
class NamedVolume:
    """A volume of the runtime in a container."""

    name: str
    target: str
    read_only: bool = True


HOST_NETWORK = "host"


@dataclass(frozen=True)
class Network:
    """How a learner's ranks communicate: a private bridge, by its `name`; or `host`, the host's own network, with the
    learners' names and addresses in `known`, as nothing else resolves them there."""

    name: str
    known: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Limits:
    """Bytes of memory, how many CPUs, which of them, how many processes and threads; 0 or empty: no limit.

    No swap is added to the memory: a program that uses too much is killed, not slowed down.
    """

    memory: int = 0
    cpus: float = 0
    cpuset: str = ""
    processes: int = 0


NO_LIMITS = Limits()


@dataclass(frozen=True)
class AgentContainerSpec:
    """A run's agent on a host.

    Attributes:
        name: the container's.
        run: the value of its label.
        image: the tool's own, which has the agent.
        folder: that of the run's volume. The agent turns it into the volume; the runtime creates the folder if it does
            not exist, unless `makes_bound_folders` is false.
        binds: what else it sees: the runtime's socket.
        command: what it runs; the container is removed when it exits.
        cpus: those that the run's ranks on this host are bound to, for other runs to see; empty if they are not bound.
        lease: the record of what the run has leased on this host, held while the container runs; may be empty.
    """

    name: str
    run: str
    image: str
    folder: Bind
    binds: Sequence[Bind]
    command: Sequence[str]
    cpus: str = ""
    lease: str = ""


@dataclass(frozen=True)
class LearnerContainerSpec:
    """A learner.

    Attributes:
        name: the container's.
        run: the value of its label.
        image: its id, which is unambiguous.
        hostname: its name, inside and on the run's network.
        network: how its ranks communicate.
        binds: the folders and volumes that it sees.
        environment: of every process in it.
        folder: where `command` starts.
        command: what it runs.
        gpus: UUIDs, as an index may mean another GPU to the driver than to the runtime.
        devices: further devices or their folders, such as `/dev/infiniband`. With them it may lock memory, which RDMA
            adapters need.
        limits: its resource limits.
        lease: as in `AgentContainerSpec`.
    """

    name: str
    run: str
    image: str
    hostname: str
    network: Network
    folder: str
    command: Sequence[str]
    binds: Sequence[Bind | NamedVolume] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    gpus: Sequence[str] = ()
    devices: Sequence[str] = ()
    limits: Limits = NO_LIMITS
    lease: str = ""

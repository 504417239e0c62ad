"""What a run asks a container runtime for, as values that name no runtime: mounts, networks, limits, containers.

Every container, volume and network of a run carries the label `toolkit.run=<training id>`; it is what is listed
and cleaned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Argv = list[str]
"""A command line, word by word: what crosses a wire is quoted on the way."""

RUN_LABEL = "toolkit.run"
CPUS_LABEL = "toolkit.cpus"
"""On a run's first and last container of a host: the CPUs that its ranks there are bound to, such as `0-3,8`."""

LEASE_LABEL = "toolkit.lease"
"""On a run's containers on a host, and on its volume there before it has any: what the run has leased of the host. Its
value is a record, see `toolkit.leases.model`; a running container with it holds the lease."""

Noun = Literal["container", "network", "volume"]
NOUNS: tuple[Noun, ...] = ("container", "network", "volume")
"""What a run has in a runtime, in the order in which it can be removed."""

OWN_PROCESSES = 4096
"""Processes and threads of a container of the tool's own: rclone starts a thread for each read that a disk delays."""


@dataclass(frozen=True)
class Bind:
    """A folder of the host in a container. `propagation` as mount(8) names it: `rshared`, `rslave` or empty."""

    source: str
    target: str
    read_only: bool = False
    propagation: str = ""


@dataclass(frozen=True)
class NamedVolume:
    """A volume of the runtime's in a container."""

    name: str
    target: str
    read_only: bool = True


HOST_NETWORK = "host"


@dataclass(frozen=True)
class Network:
    """What a learner's ranks talk on: a private bridge by its `name`; or `host`, the host's own network, with the
    learners' names and addresses in `known`, as no one else resolves them there."""

    name: str
    known: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Limits:
    """Bytes of memory, how many CPUs, which of them, how many processes and threads; 0 or empty: all there is.

    No swap comes on top of the memory: a program that takes too much is killed, and not slowed down.
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
        folder: that of the run's volume. The agent makes the volume of it; the runtime makes the folder where it is
            not there, unless it says that it does not (`makes_bound_folders`).
        binds: what else it sees: the runtime's socket.
        command: what it runs; the container goes when it ends.
        cpus: those that the run's ranks on this host are bound to, for other runs to see; empty where they are not.
        lease: the record of what the run has leased on this host, held as long as the container runs; may be empty.
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
        image: its id, so that no other image can be meant.
        hostname: its name in itself and on the run's network.
        network: what its ranks talk on.
        binds: the folders and volumes that it sees.
        environment: of every process in it.
        folder: where `command` starts.
        command: what it runs.
        gpus: UUIDs, as a number may mean another GPU to the driver than to the runtime.
        devices: further devices or their folders, such as `/dev/infiniband`. With them it may lock memory, without
            which an adapter for RDMA is of no use.
        limits: what it may use at most.
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

"""A cluster: where a run's learners live."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

NO_GPU = "none"
Binding = Literal["none", "cores"]
UNBOUND: Binding = "none"
DEFAULT_BINDING: Binding = "cores"
"""As measured by `benchmarks/binding.py`; docs/ddl.md has the figures."""


DEFAULT_PROCESSES = 4096
"""Of a rank. A framework has some for each CPU and each GPU, a data loader some tens: hundreds in all."""


@dataclass(frozen=True)
class Deadlines:
    """Seconds, each a whole number of at least 1 (`quiet` of at least 0).

    Attributes:
        start: until every learner answers.
        stop: between asking a learner to end and killing it.
        store: without any progress while results go into the bucket.
        connect: until a host has answered, shown its key and let us in. Default 10.
        lost: without any answer until a host counts as lost. Default 15.
        quiet: without a line of any rank until a run counts as stuck and is ended. Default 0: never.
    """

    start: int
    stop: int
    store: int
    connect: int = 10
    lost: int = 15
    quiet: int = 0


@dataclass(frozen=True)
class Gpu:
    """The GPUs of a host: their kind, such as `p100`, and how many."""

    kind: str
    count: int


@dataclass(frozen=True)
class Host:
    """A host of a cluster.

    Attributes:
        name: unique in its cluster.
        address: what is connected to; empty where ssh_config or DNS knows `name`.
        user: its account; empty where the cluster's holds.
        port: sshd's; 0 where the cluster's holds.
        gpu: None where it has no GPU.
    """

    name: str
    address: str = ""
    user: str = ""
    port: int = 0
    gpu: Gpu | None = None


@dataclass(frozen=True)
class Access:
    """How the hosts of a cluster are reached; whatever is not given comes from ssh_config or ssh's own defaults.

    Attributes:
        user: account on every host; empty: not given.
        port: 0: not given.
        identity: the file of the private key.
        known_hosts: the file with the hosts' keys, the only one then.
        jump: the jump host, `user@gate:22`; empty: not given.
        connections: ssh connections being opened at the same time. Default 8.
        ssh: the transport, `fabric` or `openssh`. Default `auto`: what ssh_config has for a host decides.
    """

    user: str = ""
    port: int = 0
    identity: Path | None = None
    known_hosts: Path | None = None
    jump: str = ""
    connections: int = 8
    ssh: str = "auto"


@dataclass(frozen=True)
class Cluster:
    """Where runs go: this machine's container engine, or hosts of some kind.

    Attributes:
        name: as its file has it.
        engine: its kind, a name of `toolkit.cluster.kinds.KINDS`, such as `ssh`; `local` is this machine.
        gpu: the kind of GPU that its hosts have, several with commas between, or `none`.
        deadlines: how long each thing may take.
        hosts: in the file's order, ranges expanded; none for `local`, nor where a scheduler knows them.
        access: how the hosts are reached.
        network: the CIDR that MPI and NCCL shall use, such as `10.0.0.0/16`.
        operator: the address under which the hosts reach the machine that the tool runs on; may be empty.
        container_engine: a name of `toolkit.runtimes.registry.RUNTIMES`, such as `docker`.
        scratch: a folder on each host, for which the doctor looks whether it has room; runs keep nothing there. May be
            empty.
        registry: where hosts pull images from, `host:port/name`; may be empty.
        processes: how many processes and threads a learner may have at most for each of its ranks. Default 4096.
        binding: `cores`: each rank runs on its share of its host's cores; `none`: on all of them. Default `cores`.
    """

    name: str
    engine: str
    gpu: str
    deadlines: Deadlines
    hosts: tuple[Host, ...] = ()
    access: Access = Access()
    network: str = ""
    operator: str = ""
    container_engine: str = "docker"
    scratch: str = ""
    registry: str = ""
    processes: int = DEFAULT_PROCESSES
    binding: Binding = DEFAULT_BINDING

    @property
    def remote(self) -> bool:
        """Whether runs go to other machines, which reach this one by `operator`."""
        return self.engine != "local"

"""A cluster: where a run's learners run."""

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
"""Per rank. A framework has several for each CPU and each GPU, a data loader some tens: hundreds in total."""


@dataclass(frozen=True)
class Deadlines:
    """Seconds, each a whole number of at least 1 (`quiet` at least 0).

    Attributes:
        start: until every learner responds.
        stop: between asking a learner to exit and killing it.
        store: without progress in uploading results to the bucket.
        connect: until a host has responded, shown its key and accepted our login. Default 10.
        lost: without any response until a host is considered lost. Default 15.
        quiet: without output of any rank until a run is considered stuck and is ended. Default 0: never.
    """

    start: int
    stop: int
    store: int
    connect: int = 10
    lost: int = 15
    quiet: int = 0


@dataclass(frozen=True)
class Gpu:
    """The GPUs of a host: their kind, such as `p100`, and their number."""

    kind: str
    count: int


@dataclass(frozen=True)
class Host:
    """A host of a cluster.

    Attributes:
        name: unique in its cluster.
        address: what to connect to; empty if ssh_config or DNS knows `name`.
        user: its account; empty: the cluster's.
        port: sshd's; 0: the cluster's.
        gpu: None if it has no GPU.
    """

    name: str
    address: str = ""
    user: str = ""
    port: int = 0
    gpu: Gpu | None = None


@dataclass(frozen=True)
class Access:
    """How the hosts of a cluster are reached; what is not given comes from ssh_config or ssh's defaults.

    Attributes:
        user: account on every host; empty: not given.
        port: 0: not given.
        identity: the private key file.
        known_hosts: the file with the hosts' keys; if given, the only one.
        jump: the jump host, `user@gate:22`; empty: not given.
        connections: how many ssh connections may be opened at the same time. Default 8.
        ssh: the transport, `fabric` or `openssh`. Default `auto`: chosen by a host's ssh_config.
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
        name: as in its file.
        engine: its kind, a name of `toolkit.cluster.kinds.KINDS`, such as `ssh`; `local` is this machine.
        gpu: the kind of GPU of its hosts, several separated by commas, or `none`.
        deadlines: its timeouts.
        hosts: in the file's order, ranges expanded; none for `local`, or if a scheduler knows them.
        access: how the hosts are reached.
        network: the CIDR for MPI and NCCL, such as `10.0.0.0/16`.
        operator: the address at which hosts reach the machine that the tool runs on; may be empty.
        container_engine: a name of `toolkit.runtimes.registry.RUNTIMES`, such as `docker`.
        scratch: a folder on each host that the doctor checks for free space; runs store nothing there. May be
            empty.
        registry: where hosts pull images from, `host:port/name`; may be empty.
        processes: the maximum number of processes and threads of a learner per rank. Default 4096.
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
        """Whether runs go to other machines, which reach this one at `operator`."""
        return self.engine != "local"

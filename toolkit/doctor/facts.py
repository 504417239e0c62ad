"""What one host is: a frozen value. Unknown facts are None or empty, and no check counts them as good."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from toolkit.cluster.gpu_kinds import kind_of
from toolkit.errors import Code, ToolkitError


@dataclass(frozen=True)
class Gpu:
    """A GPU as nvidia-smi reports it. Memory in MiB; `ecc_errors` are uncorrected ones since the driver was loaded.

    `node` is the NUMA node of its PCI slot; None if the host does not report it.
    """

    index: int
    uuid: str
    name: str
    memory_total: int | None = None
    memory_used: int | None = None
    ecc: str = ""
    ecc_errors: int | None = None
    node: int | None = None

    @property
    def kind(self) -> str:
        """Its name in manifests and clusters: `p100` for `Tesla P100-SXM2-16GB`."""
        return kind_of(self.name)


@dataclass(frozen=True)
class Core:
    """A physical core: the numbers of its CPUs (hardware threads) that may be used, and its NUMA node."""

    cpus: tuple[int, ...]
    node: int = 0


@dataclass(frozen=True)
class Interface:
    """A network interface: MTU in bytes, speed in Mb/s (None: not reported), its addresses."""

    name: str
    mtu: int | None = None
    speed: int | None = None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Room:
    """Free space at `path`, the nearest folder that exists: bytes that the account may use."""

    path: str
    free: int | None = None
    writable: bool = False


@dataclass(frozen=True)
class EngineFacts:
    """The container engine: its version, empty if it does not answer; then `said` is why.

    `missing`: its command does not exist. `runtimes` are the names of its OCI runtimes. `cpuset`: whether it can
    confine a container to certain CPUs. `kernel`: the release of the kernel that its containers run on. `own`: it is
    the account's own (rootless), and other accounts have others. `pids`: whether it can limit a container's processes;
    None if it does not report that.
    """

    version: str = ""
    root: str = ""
    driver: str = ""
    runtimes: tuple[str, ...] = ()
    missing: bool = False
    said: str = ""
    cpuset: bool = False
    kernel: str = ""
    own: bool = False
    pids: bool | None = None

    @property
    def major(self) -> str:
        """`20` of `20.10.24`."""
        return self.version.partition(".")[0]


@dataclass(frozen=True)
class SshdLimits:
    """sshd's limits. `effective`: as sshd itself reports them; else from its configuration. Defaults are OpenSSH's."""

    max_startups: str = "10:30:100"
    max_sessions: int = 10
    effective: bool = False

    @property
    def startups(self) -> int:
        """How many unauthenticated connections there are when sshd starts to refuse some."""
        return int(self.max_startups.partition(":")[0])


@dataclass(frozen=True)
class HostFacts:
    """One host.

    Attributes:
        name: from the cluster file.
        learner_account: the account that has the learners' uid; empty if none has.
        whole: whether the whole fact script ran.
        boot: the kernel's ID of this boot: the same for two names of one machine.
        clock_offset: seconds by which its clock is ahead of this machine's.
        cores: those that its processes may use, by NUMA node.
        memory: bytes.
        pid_max: how many processes and threads its kernel allows; None if not reported.
        fuse: `opens`, `missing`, or the kernel's error when /dev/fuse was opened.
        shm: bytes of /dev/shm; None if it does not exist.
        memlock: bytes that the account may lock at most; -1 without a limit, None if unknown.
        rdma_devices: the device files, such as `/dev/infiniband/uverbs0`.
        rdma_adapters: their names in the kernel, such as `mlx5_0`.
        driver: version of NVIDIA's driver; empty without one.
        gpu_trouble: nvidia-smi's message if it lists no GPUs.
        images: where the engine keeps its images.
        scratch: where the cluster's scratch folder is, or will be.
        ports_in_use: TCP ports on which something listens.
        firewall: `closed` if it denies by default, `open` if it does not; empty: not known, as for all accounts but
            root.
        more: other facts of the doctor's topics, for their own checks alone.
    """

    name: str
    whole: bool = False
    user: str = ""
    uid: int | None = None
    groups: tuple[str, ...] = ()
    learner_account: str = ""
    hostname: str = ""
    kernel: str = ""
    boot: str = ""
    clock_offset: float | None = None
    cpus: int | None = None
    cores: tuple[Core, ...] = ()
    memory: int | None = None
    pid_max: int | None = None
    fuse: str = ""
    shm: int | None = None
    memlock: int | None = None
    rdma_devices: tuple[str, ...] = ()
    rdma_adapters: tuple[str, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    ports_in_use: frozenset[int] = frozenset()
    firewall: str = ""
    sshd: SshdLimits | None = None
    engine: EngineFacts = EngineFacts()
    images: Room | None = None
    scratch: Room | None = None
    driver: str = ""
    gpus: tuple[Gpu, ...] = ()
    gpu_trouble: str = ""
    more: Mapping[str, object] = field(default_factory=dict, hash=False)

    def addresses_in(self, network: str) -> tuple[tuple[Interface, str], ...]:
        """Each address inside the CIDR `network`, with the interface that has it."""
        wanted = ipaddress.ip_network(network)
        return tuple(
            (interface, address)
            for interface in self.interfaces
            for address in interface.addresses
            if ipaddress.ip_address(address) in wanted
        )

    def place_in(self, network: str) -> tuple[Interface, str]:
        """The one interface and address inside the CIDR `network`.

        Raises `ToolkitError` (S100) if there is none, or more than one: MPI would use any of them.
        """
        found = self.addresses_in(network)
        if len(found) == 1:
            return found[0]
        has = ", ".join(f"{address} on {interface.name}" for interface, address in found) or "none"
        what = f"host {self.name}: needs exactly one address in the cluster's network {network}, found {has}"
        hint = "set `network` in the cluster file to a CIDR in which each host has exactly one address"
        raise ToolkitError(Code.RESOURCES, what, hint=hint, context={"host": self.name})

    def address_in(self, network: str) -> str:
        """Its address inside the CIDR `network`; raises as `place_in` does."""
        return self.place_in(network)[1]


FIELDS = frozenset(one.name for one in fields(HostFacts)) - {"name", "whole", "more"}
"""The names of the facts that a topic may provide."""

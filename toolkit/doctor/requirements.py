"""What hosts are examined for: the inventory, and the driver that an image needs. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.version import Version

from toolkit.catalogue.choose import canonical
from toolkit.cluster.gpu_kinds import same_kind
from toolkit.cluster.model import Cluster, Gpu, Host
from toolkit.compatibility.model import Table, version_of
from toolkit.manifest.model import Manifest


@dataclass(frozen=True)
class DriverNeed:
    """The drivers that a CUDA version runs on: `at_least` and newer; `why` names the CUDA, `source` the reference."""

    at_least: Version
    why: str
    source: str


@dataclass(frozen=True)
class LastDriver:
    """The last driver branch that supports a kind of GPU."""

    kind: str
    branch: int
    generation: str


@dataclass(frozen=True)
class Asked:
    """What is required of every host of `cluster`; with `on_cpu`, no GPUs, whatever the cluster file says."""

    cluster: Cluster
    driver: DriverNeed | None = None
    last_drivers: tuple[LastDriver, ...] = ()
    on_cpu: bool = False

    def host(self, name: str) -> Host:
        """The host from the cluster file; this machine, if the cluster has no hosts."""
        return next((host for host in self.cluster.hosts if host.name == name), Host(name))

    def gpu(self, name: str) -> Gpu | None:
        """The GPUs that the host must have."""
        return None if self.on_cpu else self.host(name).gpu

    @property
    def why_no_gpu(self) -> str:
        """Why a host needs no GPU, if `gpu` is None."""
        return "the manifest asks for no GPU" if self.on_cpu else "the cluster file lists no GPU here"

    def last_driver(self, kind: str) -> LastDriver | None:
        """The last driver for `kind`, if there is one."""
        return next((last for last in self.last_drivers if same_kind(last.kind, kind)), None)


def asked_of(cluster: Cluster, table: Table, manifest: Manifest | None = None) -> Asked:
    """What `manifest`, or without one any image, requires of the hosts of `cluster`."""
    if manifest is None:
        return Asked(cluster, driver_need(table), last_drivers(table))
    wanted = canonical(manifest.framework)
    framework, version = table.framework(wanted.name), version_of(wanted.version)
    release = framework.release(version) if framework and version else None
    need = driver_need(table, release.cuda if release else "")
    return Asked(cluster, need, last_drivers(table), manifest.compute.on_cpu)


def driver_need(table: Table, cuda: str = "") -> DriverNeed | None:
    """What `cuda` needs, such as `12.5`; if that is not known, what the oldest CUDA of the table needs."""
    version = version_of(cuda)
    for row in table.drivers:
        if version and row.cuda.contains(version):
            return DriverNeed(row.at_least, f"CUDA {cuda}", row.source)
    oldest = min(table.drivers, key=lambda row: row.at_least, default=None)
    return DriverNeed(oldest.at_least, f"any image (CUDA {oldest.cuda})", oldest.source) if oldest else None


def last_drivers(table: Table) -> tuple[LastDriver, ...]:
    """The kinds of GPU whose driver support ends."""
    return tuple(
        LastDriver(gpu.kind, generation.last_driver, generation.title)
        for gpu in table.gpus
        for generation in table.generations
        if generation.last_driver and gpu.architecture in generation.architectures
    )

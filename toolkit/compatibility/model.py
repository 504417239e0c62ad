"""The compatibility table as values, and the input of a check."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from toolkit.compatibility.gpus import Gpu

CPU, CUDA = "cpu", "cuda"
_CODE = re.compile(r"(?P<form>sm|compute)_(?P<major>\d+)(?P<minor>\d)")


@dataclass(frozen=True)
class Release:
    """A framework's versions from `first` to `last` and what is known about them; an empty cell is unknown.

    `last` is a prefix: 2.13 is every 2.13.x. `sources` gives the source of each cell.
    `cudnn`, `nccl` and `numpy` are PEP 440 bounds, `cuda` is the version that the wheel was built with.
    """

    first: Version
    last: Version
    python: tuple[str, ...] = ()
    glibc: str = ""
    numpy: str = ""
    cuda: str = ""
    cudnn: str = ""
    nccl: str = ""
    architectures: tuple[str, ...] = ()
    site_bundle: bool = False
    sources: tuple[tuple[str, str], ...] = ()

    def __contains__(self, version: Version) -> bool:
        return version >= self.first and _not_after(version, self.last)

    def source(self, cell: str) -> str:
        """The source of the cell, as text."""
        return dict(self.sources)[cell]

    @property
    def cuda_major(self) -> str:
        """`12` for CUDA 12.5: the suffix of its wheels' names (`nvidia-cudnn-cu12`)."""
        return self.cuda.partition(".")[0]


@dataclass(frozen=True)
class Framework:
    """A framework: its display name, its names in manifests, its projects on PyPI, its releases, oldest first."""

    title: str
    names: tuple[str, ...]
    packages: tuple[str, ...]
    releases: tuple[Release, ...]

    def release(self, version: Version) -> Release | None:
        """The row that contains `version`."""
        return next((release for release in self.releases if version in release), None)


@dataclass(frozen=True)
class Line:
    """A library's versions from `first` to `last` (None: no known end) and the GPUs that they have code for.

    `library` is `cudnn`, `nccl` or `cuda`; `package` the wheel's project, empty for CUDA itself.
    """

    library: str
    title: str
    package: str
    first: Version
    last: Version | None
    architectures: tuple[str, ...]
    source: str

    def __contains__(self, version: Version) -> bool:
        return version >= self.first and (self.last is None or _not_after(version, self.last))


@dataclass(frozen=True)
class DriverMinimum:
    """The oldest driver that works with the CUDA versions in `cuda`."""

    cuda: SpecifierSet
    at_least: Version
    source: str


@dataclass(frozen=True)
class Generation:
    """GPUs of one generation; `last_driver` is the last driver branch that supports them, 0 if none is documented."""

    title: str
    architectures: tuple[str, ...]
    last_driver: int
    source: str


@dataclass(frozen=True)
class MpiWheel:
    """Versions of a wheel that are linked with an Open MPI outside the wheel: `needs` is the PEP 440 bound on it."""

    package: str
    versions: SpecifierSet
    needs: SpecifierSet
    source: str


@dataclass(frozen=True)
class MpiNote:
    """A fact about some versions of Open MPI that is not a reason to refuse them."""

    versions: SpecifierSet
    fact: str
    source: str


@dataclass(frozen=True)
class Table:
    """`images/compatibility.yml`, with the GPUs of `gpus.yml`."""

    frameworks: tuple[Framework, ...]
    lines: tuple[Line, ...]
    drivers: tuple[DriverMinimum, ...]
    generations: tuple[Generation, ...]
    gpus: tuple[Gpu, ...]
    mpi_wheels: tuple[MpiWheel, ...]
    mpi_notes: tuple[MpiNote, ...]

    def framework(self, name: str) -> Framework | None:
        """The framework with the name `name` in a manifest."""
        return next((framework for framework in self.frameworks if name in framework.names), None)


@dataclass(frozen=True)
class Combination:
    """What is to be checked; an empty field is unknown and is not checked.

    `version` is as requested, `2.19` or `2.19.1`; `flavour` is `cpu` or `cuda`. `packages` are a lock's wheels, name
    and version; without a lock, `requirements` (PEP 508) limit the choice. `architectures` are the GPUs it must run on
    (`sm_60`); `driver` is as printed by nvidia-smi; a bare branch (`525`) means its first driver.
    """

    framework: str
    version: str
    python: str = ""
    suite: str = ""
    glibc: str = ""
    flavour: str = CPU
    packages: tuple[tuple[str, str], ...] = ()
    requirements: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    driver: str = ""
    open_mpi: str = ""

    def locked(self, name: str) -> Version | None:
        """The version of the locked wheel of the project `name`."""
        wanted = canonicalize_name(name)
        found = (version for package, version in self.packages if canonicalize_name(package) == wanted)
        return next((version for version in map(version_of, found) if version), None)


@dataclass(frozen=True)
class Conflict:
    """Why a combination cannot work: the conflicting parts, the fact, its source, and the nearest that works."""

    what: str
    fact: str
    source: str
    nearest: str


@dataclass(frozen=True)
class Note:
    """A fact about a combination that is not a conflict."""

    fact: str
    source: str


def version_of(text: str) -> Version | None:
    """`text` as a version, or None if it is not one."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def runs_on(codes: tuple[str, ...], architecture: str) -> bool:
    """Whether a GPU of `architecture` (`sm_61`) can run one of `codes`.

    Machine code (`sm_60`) runs on the same major and an equal or later minor number; PTX (`compute_60`) is compiled by
    the driver for every equal or later one. From NVIDIA's "CUDA C++ Programming Guide", section "Binary Compatibility"
    and the one after it.
    """
    gpu = _CODE.fullmatch(architecture)
    if gpu is None:
        return False
    wanted = (int(gpu["major"]), int(gpu["minor"]))
    for match in filter(None, map(_CODE.fullmatch, codes)):
        has = (int(match["major"]), int(match["minor"]))
        if has <= wanted and (match["form"] == "compute" or has[0] == wanted[0]):
            return True
    return False


def _not_after(version: Version, last: Version) -> bool:
    digits = len(last.release)
    return (*version.release, *(0,) * digits)[:digits] <= last.release

"""What the catalogue holds: suites, and recipes, each one image that can be built, and from what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LEARNER_UID = 61000
"""The learners' user and group in every image; the mounted buckets appear as theirs.

An account of a host with the same uid can read a learner's files through /proc, and end it. 1000 is the first person's
on most hosts; no distribution gives a person one above 60000 by itself (Debian's policy, 9.2.2). The doctor looks.
"""


@dataclass(frozen=True)
class Framework:
    """A framework as the catalogue names it, such as `tensorflow-ddl` `2.19` on Python `3.11`.

    `compat` asks for what lets older scripts run on it, such as `tf1`; empty: nothing.
    """

    name: str
    version: str
    python: str
    compat: str = ""


@dataclass(frozen=True)
class Archive:
    """A package archive: its name, its URL (overridden by a site's mirror), the suites and components taken from it."""

    name: str
    url: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


@dataclass(frozen=True)
class Keyring:
    """The keys that sign an archive, where the machine may lack them: a package of that archive, pinned."""

    url: str
    sha256: str


@dataclass(frozen=True)
class Suite:
    """A distribution's release, and the facts of it that decide what can run there.

    `packages` are what a learner needs of it: Python, Open MPI, sshd; `variant` is mmdebstrap's.
    """

    name: str
    title: str
    archives: tuple[Archive, ...]
    keyring: Keyring | None
    python: str
    glibc: str
    open_mpi: str
    packages: tuple[str, ...]
    variant: str


@dataclass(frozen=True)
class DistributionBase:
    """A base made by mmdebstrap from a distribution's own packages: needs no image registry."""

    suite: Suite
    packages: tuple[str, ...]
    variant: str


@dataclass(frozen=True)
class RegistryBase:
    """A base from an image registry, pinned by digest; it brings Python, Open MPI and sshd itself."""

    image: str


Base = DistributionBase | RegistryBase


@dataclass(frozen=True)
class Tree:
    """A file or folder copied into the image: `source` on this machine, `target` absolute in the image.

    `sha256` is a file's that the catalogue pins, and `release` what it is said to be; empty where it is our own source.
    """

    source: Path
    target: str
    sha256: str = ""
    release: str = ""


@dataclass(frozen=True)
class Program:
    """A binary of others that an image of the tool's own brings: `file` of the Python package `distribution`.

    It is upstream's `release`, by the SHA-256 of its bytes.
    """

    distribution: str
    file: str
    release: str
    sha256: str
    target: str


@dataclass(frozen=True)
class Additions:
    """What a person's code needs on top of a framework: Python requirements, Debian packages, and their own lock.

    `constraints` are bounds on packages that may be needed, and `hashes` the SHA-256 of the files that alone may serve
    for a package, by its normalised name.
    """

    requirements: tuple[str, ...]
    packages: tuple[str, ...]
    lock: Path
    constraints: tuple[str, ...] = ()
    hashes: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class SiteBundle:
    """A tar that no index carries and a site supplies, such as CUDA 9.0 with cuDNN 7: pinned by SHA-256.

    Its content goes to `/usr/local/cuda`. `file` is None where this site has none of that name.
    """

    name: str
    file: Path | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Native:
    """Libraries that are compiled for the image's own environment: what `build.py` in `source` makes goes to `target`.

    `compiler` is the recipe of the base in which that happens, with its own lock. Nothing of it gets into the image.
    """

    source: Path
    target: str
    compiler: Recipe


@dataclass(frozen=True)
class Recipe:
    """One image: `name` says what is in it, as in `tensorflow-ddl-2.19-py3.11-cpu`.

    `additions` come on top of everything else, so that another set of them leaves every other layer as it is.
    `requirements` are solved into `lock` by `toolkit lock`, for `python` (empty where the image has none);
    `architectures` are the GPUs that its CUDA code must carry (`sm_60`), none for a CPU image.
    """

    name: str
    title: str
    base: Base
    template: Path
    lock: Path
    trees: tuple[Tree, ...]
    facts: str
    python: str = ""
    requirements: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    additions: Additions | None = None
    bundle: SiteBundle | None = None
    native: Native | None = None

    @property
    def lacks_bundle(self) -> bool:
        """Whether it needs a bundle that this site does not have."""
        return self.bundle is not None and self.bundle.file is None


@dataclass(frozen=True)
class FrameworkRow:
    """What a manifest asks for, and the recipe that answers it; `compat` is what its image has for older scripts."""

    framework: str
    version: str
    python: str
    flavour: str
    recipe: Recipe
    compat: str = ""

    @property
    def spelled(self) -> str:
        """As a person reads it."""
        compat = f", compat {self.compat}" if self.compat else ""
        return f"{self.framework} {self.version} on Python {self.python} ({self.flavour}{compat})"

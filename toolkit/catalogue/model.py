"""The content of the catalogue: suites, and recipes, each of which defines one image and its sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LEARNER_UID = 61000
"""The learners' user and group in every image; mounted buckets appear to belong to them.

A host account with the same uid can read a learner's files through /proc, and kill it. 1000 is the first user's uid
on most hosts; no distribution gives a user one above 60000 by default (Debian's policy, 9.2.2). The doctor checks.
"""


@dataclass(frozen=True)
class Framework:
    """A framework as named in the catalogue, such as `tensorflow-ddl` `2.19` on Python `3.11`.

    `compat` selects support for older scripts, such as `tf1`; empty: none.
    """

    name: str
    version: str
    python: str
    compat: str = ""


@dataclass(frozen=True)
class Archive:
    """A package archive: its name, its URL (overridden by a site's mirror), the suites and components used from it."""

    name: str
    url: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


@dataclass(frozen=True)
class Keyring:
    """The keys that sign an archive, in case the machine lacks them: a package of that archive, pinned."""

    url: str
    sha256: str


@dataclass(frozen=True)
class Suite:
    """A distribution's release, and the facts about it that determine what can run there.

    `packages` are those a learner needs: Python, Open MPI, sshd; `variant` is mmdebstrap's.
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
    """A base built by mmdebstrap from a distribution's own packages: needs no image registry."""

    suite: Suite
    packages: tuple[str, ...]
    variant: str


@dataclass(frozen=True)
class RegistryBase:
    """A base from an image registry, pinned by digest; it includes Python, Open MPI and sshd."""

    image: str


Base = DistributionBase | RegistryBase


@dataclass(frozen=True)
class Tree:
    """A file or folder copied into the image: `source` on this machine, `target` absolute in the image.

    `sha256` is for a file that the catalogue pins, and `release` its stated version; empty for our own sources.
    """

    source: Path
    target: str
    sha256: str = ""
    release: str = ""


@dataclass(frozen=True)
class Program:
    """A third-party binary for one of the tool's own images: `file` of the Python package `distribution`.

    It is upstream's `release`, identified by the SHA-256 of its bytes.
    """

    distribution: str
    file: str
    release: str
    sha256: str
    target: str


@dataclass(frozen=True)
class Additions:
    """What the user's code needs on top of a framework: Python requirements, Debian packages, and their own lock.

    `constraints` are version ranges for packages that may be needed, and `hashes` the SHA-256 of the only acceptable
    files for a package, by its normalized name.
    """

    requirements: tuple[str, ...]
    packages: tuple[str, ...]
    lock: Path
    constraints: tuple[str, ...] = ()
    hashes: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class SiteBundle:
    """A tar that is on no index and that a site provides, such as CUDA 9.0 with cuDNN 7: pinned by SHA-256.

    Its content goes to `/usr/local/cuda`. `file` is None if this site has no bundle of that name.
    """

    name: str
    file: Path | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Native:
    """Libraries compiled for the image's own environment: the output of `build.py` in `source` goes to `target`.

    `compiler` is the recipe of the base for this, with its own lock. The compiler does not get into the image.
    """

    source: Path
    target: str
    compiler: Recipe


@dataclass(frozen=True)
class Recipe:
    """One image: `name` describes its content, as in `tensorflow-ddl-2.19-py3.11-cpu`.

    `additions` come on top of everything else, so that changing them leaves every other layer as it is.
    `requirements` are resolved into `lock` by `toolkit lock`, for `python` (empty if the image has none);
    `architectures` are the GPUs that its CUDA code must support (`sm_60`), none for a CPU image.
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
    """A framework that a manifest can ask for, and its recipe; `compat` is the image's support for older scripts."""

    framework: str
    version: str
    python: str
    flavour: str
    recipe: Recipe
    compat: str = ""

    @property
    def spelled(self) -> str:
        """As shown to people."""
        compat = f", compat {self.compat}" if self.compat else ""
        return f"{self.framework} {self.version} on Python {self.python} ({self.flavour}{compat})"

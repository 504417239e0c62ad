"""An image's contents: its files, and the packages that they belong to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

DEB = "deb"
PYTHON = "python"
UNNAMED_LICENCE = "(a text without a name)"
"""Placeholder for a licence that a package gives only as text."""


@dataclass(frozen=True)
class File:
    """One entry of the file system. `content` is a file's SHA-256, or a link's target; `size` is in bytes."""

    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    content: str


@dataclass(frozen=True)
class Need:
    """A requirement: one of the names `any_of`, with its `extras`; only for its own extra `when`, if set."""

    any_of: tuple[str, ...]
    extras: tuple[str, ...] = ()
    when: str = ""


@dataclass(frozen=True)
class Package:
    """A Debian package, or a Python distribution.

    `licences` are as declared, in the package's own words. `place` is the folder of a Python distribution. `carried_by`
    is the key of the package that vendors this one, as setuptools does. `size` is that of its files in the image, in
    bytes; `source` is a Debian package's source package.
    """

    kind: str
    name: str
    version: str
    architecture: str = ""
    place: str = ""
    licences: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    size: int = 0
    needs: tuple[Need, ...] = ()
    provides: tuple[str, ...] = ()
    essential: bool = False
    source: str = ""
    maker: str = ""
    carried_by: str = ""

    @property
    def key(self) -> str:
        """Identifies it within one image."""
        return f"{self.kind}:{self.name}:{self.architecture or self.place}"

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Distribution:
    """From `/etc/os-release`: `debian`, `12`, `Debian GNU/Linux 12 (bookworm)`; empty if there is none."""

    name: str = ""
    version: str = ""
    title: str = ""


@dataclass(frozen=True)
class Contents:
    """The whole of an image's file system. `lock` is the text of the lock in it, empty if there is none."""

    files: Mapping[str, File]
    packages: tuple[Package, ...]
    distribution: Distribution
    lock: str = ""

    @cached_property
    def by_key(self) -> Mapping[str, Package]:
        """The packages by their keys."""
        return {package.key: package for package in self.packages}

    @cached_property
    def owners(self) -> Mapping[str, Package]:
        """The package that a file belongs to: of a vendored one, the outer one."""
        outer_last = sorted(self.packages, key=lambda package: not package.carried_by)
        return {path: package for package in outer_last for path in package.files}

    def of_kind(self, kind: str) -> Iterator[Package]:
        """The packages of one kind that are installed themselves, not vendored."""
        return (package for package in self.packages if package.kind == kind and not package.carried_by)

"""The subject of the documents: one image, its content and what was downloaded for it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import cached_property

from packageurl import PackageURL

from toolkit.inventory.graph import Graph, graph_of
from toolkit.inventory.images import EngineImage
from toolkit.inventory.lock import Downloads, downloads_of
from toolkit.inventory.model import DEB, PYTHON, Contents, Package

_NAMESPACE = uuid.UUID("8f3a1c64-5d0e-4f6b-9a52-0c7e1b9d2f48")
"""The namespace of names derived from image ids; any value will do, but it must not change."""


@dataclass(frozen=True)
class Subject:
    """An image and its contents; everything in the documents is derived from these two values."""

    image: EngineImage
    contents: Contents

    @cached_property
    def downloads(self) -> Downloads:
        """The files from which its packages were installed."""
        return downloads_of(self.contents)

    @cached_property
    def graph(self) -> Graph:
        """Which package requires which."""
        return graph_of(self.contents, self.image.asked)

    @property
    def digest(self) -> str:
        """The image id's 64 hexadecimal digits."""
        return self.image.image_id.removeprefix("sha256:")

    @property
    def name(self) -> str:
        """The name it was built with, without the version."""
        return self.image.own_name.rpartition(":")[0]

    @property
    def version(self) -> str:
        """The hash of its inputs, or the image id's digits."""
        return self.image.own_name.rpartition(":")[2]

    @property
    def uuid(self) -> uuid.UUID:
        """Always the same for an image, and different for any other."""
        return uuid.uuid5(_NAMESPACE, self.image.image_id)

    @property
    def distribution(self) -> str:
        """`debian`; if the image has no os-release, the first word of its recipe's name for the base."""
        return self.contents.distribution.name or next(iter(self.image.asked.base.lower().split()), "debian")

    def purl(self, package: Package) -> PackageURL | None:
        """The package's URL (github.com/package-url/purl-spec); None if it is not from a package index."""
        if package.kind == DEB:
            return deb_url(package.name, package.version, package.architecture, self.distribution)
        return pypi_url(package.name, package.version) if package.kind == PYTHON else None


def deb_url(name: str, version: str, architecture: str, distribution: str) -> PackageURL:
    """`pkg:deb/debian/libc6@2.36-9?arch=amd64`."""
    return PackageURL("deb", distribution, name, version, {"arch": architecture} if architecture else None)


def pypi_url(name: str, version: str) -> PackageURL:
    """`pkg:pypi/keras@3.15.1`."""
    return PackageURL("pypi", None, name, version)

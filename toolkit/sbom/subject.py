"""What the documents are about: one image, what is in it and what was downloaded for it."""

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
"""Names made of image ids live in it; any fixed one serves, so long as it stays."""


@dataclass(frozen=True)
class Subject:
    """An image and its contents; everything that the documents tell comes from these two values."""

    image: EngineImage
    contents: Contents

    @cached_property
    def downloads(self) -> Downloads:
        """The files that its packages came in."""
        return downloads_of(self.contents)

    @cached_property
    def graph(self) -> Graph:
        """Which package asks for which."""
        return graph_of(self.contents, self.image.asked)

    @property
    def digest(self) -> str:
        """The image id's 64 hexadecimal digits."""
        return self.image.image_id.removeprefix("sha256:")

    @property
    def name(self) -> str:
        """What the image was built as, without the version."""
        return self.image.own_name.rpartition(":")[0]

    @property
    def version(self) -> str:
        """The hash over what went in, or the image id's digits."""
        return self.image.own_name.rpartition(":")[2]

    @property
    def uuid(self) -> uuid.UUID:
        """The same for the same image, and for no other."""
        return uuid.uuid5(_NAMESPACE, self.image.image_id)

    @property
    def distribution(self) -> str:
        """`debian`; where the image has no os-release, the first word of what its recipe calls its base."""
        return self.contents.distribution.name or next(iter(self.image.asked.base.lower().split()), "debian")

    def purl(self, package: Package) -> PackageURL | None:
        """The package's URL (github.com/package-url/purl-spec); None for what is in no package index."""
        if package.kind == DEB:
            return deb_url(package.name, package.version, package.architecture, self.distribution)
        return pypi_url(package.name, package.version) if package.kind == PYTHON else None


def deb_url(name: str, version: str, architecture: str, distribution: str) -> PackageURL:
    """`pkg:deb/debian/libc6@2.36-9?arch=amd64`."""
    return PackageURL("deb", distribution, name, version, {"arch": architecture} if architecture else None)


def pypi_url(name: str, version: str) -> PackageURL:
    """`pkg:pypi/keras@3.15.1`."""
    return PackageURL("pypi", None, name, version)

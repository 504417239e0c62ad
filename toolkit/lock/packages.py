"""The packages of an image, by its locks. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from toolkit.lock.model import Lock

PackageKind = Literal["deb", "wheel"]


class LockedPackage(NamedTuple):
    """A package of an image: a Debian package or a Python wheel, its name and version, the SHA-256 of its file."""

    kind: PackageKind
    name: str
    version: str
    sha256: str


def locked_packages(framework: Lock, added: Lock | None = None) -> tuple[LockedPackage, ...]:
    """All that the framework's lock and that of the packages on top of it put into an image.

    A lock of added Debian packages has all those of the base, too.
    """
    debs = (added.debs if added else ()) or framework.debs
    wheels = (*framework.wheels, *(added.wheels if added else ()))
    return (
        *(LockedPackage("deb", deb.name, deb.version, deb.sha256) for deb in sorted(debs)),
        *(LockedPackage("wheel", wheel.name, wheel.version, wheel.sha256) for wheel in sorted(wheels)),
    )

"""A lock: every file that goes into an image, by name, version and hash; nothing is resolved when it is used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class DebPin:
    """One Debian package: `archive` is the name of the suite's archive, `path` the file's path below its URL."""

    name: str
    version: str
    architecture: str
    archive: str
    path: str
    sha256: str
    size: int

    @property
    def file(self) -> str:
        """The file's own name."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, order=True)
class WheelPin:
    """One wheel: the project's normalized name, and its one file."""

    name: str
    version: str
    file: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Lock:
    """What goes into one target.

    `asked` is the SHA-256 of the requirements that the lock satisfies (suite, packages, requirements, Python,
    platform): if a recipe's differ, the lock is stale. `template` is the SHA-256 of the Dockerfile template.
    """

    asked: str
    template: str
    debs: tuple[DebPin, ...]
    wheels: tuple[WheelPin, ...]

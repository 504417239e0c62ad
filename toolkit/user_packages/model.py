"""What files of requirements ask for, before and after it is held against the framework's image. Values only."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from toolkit.catalogue.model import Additions
from toolkit.errors import Place, Problem
from toolkit.lock.model import WheelPin


@dataclass(frozen=True)
class ImageFacts:
    """The framework's image, as far as requirements meet it.

    `python` is such as `3.11`, `full_python` such as `3.11.2`; `wheels` are those of its lock.
    """

    name: str
    python: str
    full_python: str
    wheels: tuple[WheelPin, ...] = ()

    @property
    def holds(self) -> dict[str, WheelPin]:
        """The image's wheels by their normalised names."""
        return {wheel.name: wheel for wheel in self.wheels}

    @property
    def markers(self) -> dict[str, str]:
        """The environment for PEP 508's markers. What only a running kernel knows is not in it."""
        return {
            "extra": "",
            "implementation_name": "cpython",
            "implementation_version": self.full_python,
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": self.full_python,
            "python_version": self.python,
            "sys_platform": "linux",
        }


@dataclass(frozen=True)
class Wanted:
    """One requirement that counts in the image: without its marker, with the place that asks for it.

    `hashes` are the SHA-256 of the files that may serve, in hexadecimal; none means that any may.
    """

    requirement: Requirement
    place: Place
    hashes: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The project's name as an index normalises it."""
        return canonicalize_name(self.requirement.name)

    @property
    def text(self) -> str:
        """As a requirement is written: `fire[x]==0.7`."""
        return str(self.requirement)


@dataclass(frozen=True)
class Asked:
    """What one file asks for, with the files that it names.

    Attributes:
        wanted: what is to be installed.
        constraints: bounds that hold where a package is needed, as in pip's constraint files.
        pins: versions of a tool's lock (`uv.lock`): they hold too, but give way to what the image has.
        skipped: requirements whose marker is not for the image.
        notes: what a person should know, a line each.
        problems: what cannot be locked.
        files: those that were read.
    """

    wanted: tuple[Wanted, ...] = ()
    constraints: tuple[Wanted, ...] = ()
    pins: tuple[Wanted, ...] = ()
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    files: tuple[Path, ...] = ()

    def __add__(self, other: Asked) -> Asked:
        """Both together, in this order."""
        return Asked(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


NOTHING = Asked()


@dataclass(frozen=True)
class Needs:
    """What a person's code needs besides the framework: None where that is nothing; and the notes about it.

    `wanted` and `constraints` are what `additions` says, with their places.
    """

    additions: Additions | None
    notes: tuple[str, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    constraints: tuple[Wanted, ...] = ()


def shown(place: Place) -> str:
    """The place in a note: the file's own name, and the line where it is known."""
    name = Path(place.file).name
    return f"{name}:{place.line}" if place.line else name

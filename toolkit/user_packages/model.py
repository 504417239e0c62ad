"""The content of requirement files, before and after the comparison with the framework's image. Values only."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from toolkit.catalogue.model import Additions
from toolkit.errors import Place, Problem
from toolkit.lock.model import WheelPin

if TYPE_CHECKING:
    from packaging.requirements import Requirement


@dataclass(frozen=True)
class ImageFacts:
    """What requirements need to know about the framework's image.

    `python` is like `3.11`, `full_python` like `3.11.2`; `wheels` are those of its lock.
    """

    name: str
    python: str
    full_python: str
    wheels: tuple[WheelPin, ...] = ()

    @property
    def holds(self) -> dict[str, WheelPin]:
        """The image's wheels by normalized name."""
        return {wheel.name: wheel for wheel in self.wheels}

    @property
    def markers(self) -> dict[str, str]:
        """The environment for PEP 508 markers, without what depends on the running kernel."""
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
    """One requirement that applies to the image: without its marker, with the place that requires it.

    `hashes` are the SHA-256 of the acceptable files, in hexadecimal; none means any file.
    """

    requirement: Requirement
    place: Place
    hashes: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The project's name, normalized as on an index."""
        return canonicalize_name(self.requirement.name)

    @property
    def text(self) -> str:
        """In requirement syntax: `fire[x]==0.7`."""
        return str(self.requirement)


@dataclass(frozen=True)
class Asked:
    """The requirements of one file and of the files that it includes.

    Attributes:
        wanted: what is to be installed.
        constraints: version ranges that apply if a package is needed, as in pip's constraint files.
        pins: versions of a tool's lock (`uv.lock`): like constraints, but they yield to the image's versions.
        skipped: requirements whose marker does not apply to the image.
        notes: what the user should know, one line each.
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
    """What the user's code needs besides the framework (None: nothing), and notes about it.

    `wanted` and `constraints` are the content of `additions`, with their places.
    """

    additions: Additions | None
    notes: tuple[str, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    constraints: tuple[Wanted, ...] = ()


def place_at(file: Path, line: int) -> Place:
    """The beginning of a line of `file`; the file if `line` is 0, an unknown one."""
    return Place(str(file), line, 1 if line else 0)


def shown(place: Place) -> str:
    """The place in a note: the file's name, and the line if it is known."""
    name = Path(place.file).name
    return f"{name}:{place.line}" if place.line else name

"""What the catalogue holds: recipes, each one image that can be built, and from what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LEARNER_UID = 1000
"""The learners' user and group in every image; the mounted buckets appear as his."""


@dataclass(frozen=True)
class DistributionBase:
    """A base made by mmdebstrap from a distribution's own packages: needs no image registry."""

    suite: str
    packages: tuple[str, ...]
    variant: str


@dataclass(frozen=True)
class RegistryBase:
    """A base from an image registry, pinned by digest; it brings Python, Open MPI and sshd itself."""

    image: str


Base = DistributionBase | RegistryBase


@dataclass(frozen=True)
class Tree:
    """A file or folder copied into the image: `source` on this machine, `target` absolute in the image."""

    source: Path
    target: str


@dataclass(frozen=True)
class Recipe:
    """One image: `name` says what is in it, as in `tensorflow-ddl-2.19-py3.11-cpu`."""

    name: str
    title: str
    base: Base
    template: Path
    lock: Path | None
    trees: tuple[Tree, ...]
    facts: str


@dataclass(frozen=True)
class FrameworkRow:
    """What a manifest asks for, and the recipe that answers it."""

    framework: str
    version: str
    python: str
    flavour: str
    recipe: Recipe

    @property
    def spelled(self) -> str:
        """As a person reads it."""
        return f"{self.framework} {self.version} on Python {self.python} ({self.flavour})"

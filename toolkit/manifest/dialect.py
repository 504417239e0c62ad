"""What the tool knows of a dialect of manifests: one value, which the dialect's own module makes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel

from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.fields import Section
from toolkit.manifest.model import Manifest
from toolkit.yaml.source import Path_, Source


class ManifestFile(Section):
    """The whole file in a dialect: its fields are the names at the file's top."""

    @abstractmethod
    def to_manifest(self, diagnostics: Diagnostics) -> Manifest:
        """The canonical value; where `diagnostics` is told to refuse the file, the value is not used."""


@dataclass(frozen=True)
class Dialect:
    """A dialect of manifests. `toolkit.manifest.dialects.registry` lists those that are read.

    Attributes:
        name: as JSON output and the names of test files have it, `wml-2017`.
        title: as a person reads it, `Watson ML of 2017`.
        model: checks a file and turns it into a `Manifest`.
        matches: whether a file is in this dialect, by the names at its top. The first dialect of the registry that
            matches is taken, so it need not exclude what those before it take.
        framework: where the file's framework stands.
        framework_model: the section there; the JSON Schema restricts it to the frameworks of the catalogue.
        signs: names at a file's top that no other kind of YAML file has.
        references: names at a file's top below which data and results stand, and so maybe keys.
        in_schema: whether the JSON Schema has it; not so for a dialect of which another takes every file.
    """

    name: str
    title: str
    model: type[ManifestFile]
    matches: Callable[[Source], bool]
    framework: Path_
    framework_model: type[BaseModel]
    signs: tuple[str, ...]
    references: tuple[str, ...]
    in_schema: bool = True


def names_at_top(source: Source) -> frozenset[str]:
    """The names at the top of the file."""
    return frozenset(str(key.value) for key, _ in source.root.value)

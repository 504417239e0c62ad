"""What the tool knows about a manifest dialect: one value, defined in the dialect's own module."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel

from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.model import Manifest
from toolkit.yaml.source import Path_, Source
from toolkit.yaml.validate import Section


class ManifestFile(Section):
    """The whole file in a dialect: its fields are the file's top-level names."""

    @abstractmethod
    def to_manifest(self, diagnostics: Diagnostics) -> Manifest:
        """The canonical value; do not use it if `diagnostics` has refusals."""


@dataclass(frozen=True)
class Dialect:
    """A manifest dialect. Those that are read are listed in `toolkit.manifest.dialects.registry`.

    Attributes:
        name: as in JSON output and the names of test files, `wml-2017`.
        title: for people, `Watson ML of 2017`.
        model: validates a file and converts it to a `Manifest`.
        matches: whether a file is in this dialect, by its top-level names. The first dialect of the registry that
            matches is used, so it need not exclude what earlier ones match.
        framework: the path of the framework in the file.
        framework_model: the section there; the JSON Schema restricts it to the frameworks of the catalogue.
        signs: top-level names that no other kind of YAML file has.
        references: top-level names that contain data and results, and so possibly keys.
        in_schema: whether it is in the JSON Schema; false for a dialect whose files another one accepts as well.
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
    """The file's top-level names."""
    return frozenset(str(key.value) for key, _ in source.root.value)

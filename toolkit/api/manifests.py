"""Validate manifests, convert them to the canonical form, write new ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.api.catalogue import catalogue
from toolkit.api.checked import checked
from toolkit.atomic_file import write_once
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.reader import ReadManifest, read_with_warnings
from toolkit.manifest.schema import json_schema
from toolkit.manifest.starter import Wishes, starter_text
from toolkit.manifest.write import canonical_text, literal_keys
from toolkit.paths import assets


@dataclass(frozen=True)
class Canonical:
    """A manifest in the canonical form. `keys` are the environment variables that replace literal keys."""

    read: ReadManifest
    text: str
    keys: tuple[str, ...]


def check_manifest(file: str | Path) -> ReadManifest:
    """Validate a manifest of any dialect; its warnings list what differs from the dialect.

    Raises:
        ToolkitError: C101 with every problem at its line and column.

    Example:
        >>> api.check_manifest("manifest.yml").warnings
    """
    return checked(Path(file), catalogue())


def check_manifests(files: Iterable[str | Path]) -> Iterator[tuple[Path, ReadManifest | ToolkitError]]:
    """`check_manifest` for many files: each with its manifest or its error.

    Example:
        >>> [file for file, found in api.check_manifests(["a.yml", "b.yml"]) if isinstance(found, Exception)]
    """
    rows = catalogue()
    for file in map(Path, files):
        try:
            yield file, checked(file, rows)
        except ToolkitError as error:
            yield file, error


def convert_manifest(file: str | Path, output: str | Path | None = None) -> Canonical:
    """Convert a manifest of any dialect to the canonical form; written to `output`, a new file, if given.

    Raises:
        ToolkitError: C101 for an invalid manifest, or an `output` that exists.

    Example:
        >>> api.convert_manifest("ffdl.yml").text
    """
    found = read_with_warnings(Path(file))
    text, keys = canonical_text(found.manifest), literal_keys(found.manifest)
    if output:
        write_new(Path(output), text)
    return Canonical(found, text, tuple(keys))


def manifest_schema() -> dict[str, Any]:
    """The JSON Schema of a manifest, with the frameworks of this catalogue.

    Example:
        >>> api.manifest_schema()["properties"]
    """
    return json_schema(catalogue())


def write_manifest(file: str | Path, wishes: Wishes) -> None:
    """Write a manifest to `file`, a new file; it is removed again if a value is invalid.

    Raises:
        ToolkitError: C101 as it would be for the file.

    Example:
        >>> api.write_manifest("manifest.yml", wishes)
    """
    target = Path(file)
    write_new(target, starter_text(wishes, assets() / "templates"))
    try:
        check_manifest(target)
    except ToolkitError:
        target.unlink(missing_ok=True)
        raise


def write_new(file: Path, text: str) -> None:
    """Write `text` to `file`; raises `ToolkitError` (C101) if it exists or cannot be written."""
    try:
        is_new = write_once(file, text.encode())
    except OSError as error:
        raise ToolkitError(Code.MANIFEST, f"{file} cannot be written: {error.strerror}") from None
    if not is_new:
        raise ToolkitError(Code.MANIFEST, f"{file} already exists", hint="name a new file")

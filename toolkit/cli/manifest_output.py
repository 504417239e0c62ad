"""A manifest read and written for a person: what means something else here than in its dialect is a warning."""

from __future__ import annotations

from pathlib import Path

from toolkit.atomic_file import write_once
from toolkit.cli.output import console
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import ReadManifest, read_with_warnings


def read_and_report(file: Path) -> Manifest:
    """As `read_manifest`; warnings go to standard error."""
    found = read_with_warnings(file)
    report_warnings(found)
    return found.manifest


def report_warnings(found: ReadManifest) -> None:
    """Each warning where it stands in the file, with the canonical form of what was meant."""
    for warning in found.warnings:
        console.print(f"toolkit: warning {warning}", style="yellow", soft_wrap=True)


def write_new(file: Path, text: str) -> None:
    """Write `text` to `file`, which must be new; raises `ToolkitError` (C101) where it is not, or cannot be written."""
    try:
        is_new = write_once(file, text.encode())
    except OSError as error:
        raise ToolkitError(Code.MANIFEST, f"{file} cannot be written: {error.strerror}") from None
    if not is_new:
        raise ToolkitError(Code.MANIFEST, f"{file} is there already", hint="name a new file")

"""A manifest checked against the catalogue: its framework must be there. It needs nothing that an image is made of."""

from __future__ import annotations

from pathlib import Path

from toolkit.api.catalogue import catalogue
from toolkit.catalogue.choose import CPU, CUDA, NotInCatalogue, choose
from toolkit.catalogue.model import Framework, FrameworkRow
from toolkit.errors import ToolkitError
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import ReadManifest, framework_error, read_with_warnings
from toolkit.progress import Progress, Report, silent


def read_and_report(file: Path, report: Report = silent) -> Manifest:
    """`read_manifest`, with differences from the manifest's dialect reported as notes."""
    found = read_with_warnings(file)
    for warning in found.warnings:
        report(Progress("manifest", note=f"warning {warning}"))
    return found.manifest


def checked(file: Path, rows: tuple[FrameworkRow, ...]) -> ReadManifest:
    """The manifest in `file`, whose framework must be in the catalogue; raises `ToolkitError` (C101)."""
    found = read_with_warnings(file)
    try:
        any_flavour(rows, found.manifest.framework)
    except NotInCatalogue as error:
        raise _not_in_catalogue(error, file, found.manifest) from None
    return found


def any_flavour(rows: tuple[FrameworkRow, ...], framework: Framework) -> FrameworkRow:
    """The row for `framework`: of the CPU flavour if there is one."""
    wanted = (framework.name, framework.version)
    on_cpu = any(row.flavour == CPU and (row.framework, row.version) == wanted for row in rows)
    return choose(rows, framework, CPU if on_cpu else CUDA)


def row_of(manifest: Manifest, file: Path, flavour: str = CPU) -> FrameworkRow:
    """The catalogue's row for the manifest in `file`; raises `ToolkitError` (C101) that points at the field."""
    try:
        return choose(catalogue(), manifest.framework, flavour)
    except NotInCatalogue as error:
        raise _not_in_catalogue(error, file, manifest) from None


def _not_in_catalogue(error: NotInCatalogue, file: Path, manifest: Manifest) -> ToolkitError:
    from toolkit.api.compatible import facts_against  # only for what is wrong: the table takes 50 ms

    return framework_error(file, error.field, f"{error}{facts_against(manifest.framework)}")

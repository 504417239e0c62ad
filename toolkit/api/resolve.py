"""Resolve a manifest, or an image's name, to the image's recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from toolkit.api.catalogue import catalogue, nearest_of
from toolkit.api.compatible import facts_against, refuse_impossible
from toolkit.catalogue.choose import CPU, CUDA, NotInCatalogue, choose
from toolkit.catalogue.model import Framework, FrameworkRow, Recipe
from toolkit.errors import Code, ToolkitError
from toolkit.lock.file import read_lock
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import ReadManifest, framework_error, read_with_warnings
from toolkit.paths import site
from toolkit.progress import Progress, Report, silent
from toolkit.urls import redact_urls
from toolkit.user_packages.question import stale_additions
from toolkit.user_packages.read import image_facts, read_additions


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
        what = f"{error}{facts_against(found.manifest.framework)}"
        raise framework_error(file, error.field, what) from None
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
        raise framework_error(file, error.field, f"{error}{facts_against(manifest.framework)}") from None


def served_flavour(manifest: Manifest, file: Path, flavour: str) -> str:
    """`flavour`, or `cpu` if that one needs a bundle that this site does not have."""
    return CPU if row_of(manifest, file, flavour).recipe.lacks_bundle else flavour


def recipe_of(
    manifest: Manifest, file: Path, code: Path | None = None, flavour: str = CPU, report: Report = silent
) -> Recipe:
    """The recipe of the image that `manifest` needs, with what the code in `code` adds (default: beside the manifest).

    Notes on the files that request packages are reported.

    Raises `ToolkitError` (C102) if it adds packages without a lock, or with a stale one.
    """
    row = row_of(manifest, file, flavour)
    refuse_bundleless(row.recipe)
    needs = read_additions(code or file.parent, manifest.packages, image_facts(row.recipe), flavour)
    report_notes(needs.notes, report)
    additions = needs.additions
    locking = f"toolkit lock {file}" + (f" --flavour {flavour}" if flavour != CPU else "")
    if additions and not additions.lock.is_file():
        wanted = ", ".join([*additions.requirements, *additions.packages])
        raise ToolkitError(Code.CODE, f"{wanted}: requested but not locked ({additions.lock} is missing)", hint=locking)
    recipe = replace(row.recipe, additions=additions)
    added = read_lock(additions.lock) if additions else None
    if additions and added and (why := stale_additions(recipe, added)):
        raise ToolkitError(Code.CODE, f"{additions.lock} is stale: {why}", hint=locking)
    wheels = [*read_lock(recipe.lock).wheels, *(added.wheels if added else ())]
    refuse_impossible(row, wheels, manifest.compute.kind)
    return recipe


def report_notes(notes: Sequence[str], report: Report) -> None:
    """Report a note for each remark on the requirement files."""
    for note in notes:
        report(Progress("packages", note=redact_urls(note)))


def named_row(name: str) -> FrameworkRow:
    """The row whose image is `name`; raises `ToolkitError` (C101) with the nearest name."""
    rows = {row.recipe.name: row for row in catalogue()}
    if name not in rows:
        raise ToolkitError(Code.MANIFEST, f"the catalogue has no image {name}", hint=nearest_of(name, list(rows)))
    refuse_bundleless(rows[name].recipe)
    return rows[name]


def refuse_bundleless(recipe: Recipe) -> None:
    """Raise `ToolkitError` (S103) if the recipe needs a bundle that this site does not have."""
    if recipe.bundle and recipe.lacks_bundle:
        raise ToolkitError(
            Code.IMAGE,
            f"{recipe.name} needs the site's bundle {recipe.bundle.name}, which is on no package index",
            hint=f"add it to {site()} with its file and sha256 (docs/build.md), or use the CPU image",
        )

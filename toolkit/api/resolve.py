"""Resolve a manifest, or an image's name, to the image's recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from toolkit.api.catalogue import catalogue, nearest_of
from toolkit.api.checked import row_of
from toolkit.api.compatible import refuse_impossible
from toolkit.catalogue.choose import CPU
from toolkit.catalogue.model import FrameworkRow, Recipe
from toolkit.errors import Code, ToolkitError
from toolkit.lock.file import read_lock
from toolkit.manifest.model import Manifest
from toolkit.paths import site
from toolkit.progress import Progress, Report, silent
from toolkit.urls import redact_urls
from toolkit.user_packages.question import stale_additions
from toolkit.user_packages.read import image_facts, read_additions


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

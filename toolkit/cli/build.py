"""`toolkit build MANIFEST`, `toolkit build --image IMAGE`, `toolkit build --all`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from toolkit.catalogue.choose import NotInCatalogue, choose
from toolkit.catalogue.model import FrameworkRow, Recipe
from toolkit.cli.build_sbom import keep_provenance, now
from toolkit.cli.catalogue import catalogue
from toolkit.cli.compatible import facts_against, refuse_impossible, why_cpu_alone
from toolkit.cli.output import console, human_size, print_json, progress_bar
from toolkit.errors import Code, ToolkitError
from toolkit.image.build import Build, BuiltImage
from toolkit.image.builders import builder_named
from toolkit.image.dry_run import render
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_recipe
from toolkit.lock.file import read_lock
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import framework_error, read_manifest
from toolkit.paths import cache, site
from toolkit.progress import Report
from toolkit.urls import redact_urls
from toolkit.user_packages.image import image_facts
from toolkit.user_packages.question import stale_additions
from toolkit.user_packages.read import read_additions
from toolkit.validation.expectations import expectation
from toolkit.validation.model import TOOL_IMAGE, Expectation, refuse
from toolkit.validation.validate import prove


def run(arguments: argparse.Namespace) -> int:
    """Build the image that mounts buckets, then the manifest's own; or those that are named."""
    if bool(arguments.manifest) + bool(arguments.image) + arguments.all != 1:
        raise ToolkitError(Code.MANIFEST, "say what to build: MANIFEST, --image IMAGE or --all")
    if arguments.all or len(arguments.image) > 1:
        from toolkit.cli import build_matrix

        return build_matrix.run(arguments)
    recipe, row = _asked(arguments)
    if arguments.dry_run:
        return _dry_run(recipe, arguments)
    with progress_bar() as report:
        side = build(buckets_recipe(), TOOL_IMAGE, arguments.builder, report)
        image = build(recipe, expectation(row), arguments.builder, report)
    if arguments.json:
        print_json({"image": facts(image), "buckets_image": facts(side), "framework": row.spelled})
    for one in (side, image):
        verb = "built" if one.fresh else "here already"
        console.print(f"{one.reference}  {human_size(one.size)}  {verb}\n  {one.image_id}", soft_wrap=True)
    if why := why_cpu_alone(row, catalogue()):
        console.print(f"for the CPU alone: {why}", style="yellow", soft_wrap=True)
    return 0


def build(recipe: Recipe, expected: Expectation, builder: str, report: Report) -> BuiltImage:
    """One recipe made into an image of this machine's engine, and proved to be what is expected."""
    store = ImageStore()

    def look(image_id: str) -> None:
        refuse(prove(image_id, expected, report, store))

    started = now()
    built = Build(recipe, store, builder_named(builder, store), cache(), report, look).run()
    if built.fresh:
        keep_provenance(recipe, built, started, store)
    return built


def row_of(manifest: Manifest, file: Path, flavour: str = "cpu") -> FrameworkRow:
    """The catalogue's answer to the manifest in `file`; raises `ToolkitError` (C101) that points at the field."""
    try:
        return choose(catalogue(), manifest.framework, flavour)
    except NotInCatalogue as error:
        raise framework_error(file, error.field, f"{error}{facts_against(manifest.framework)}") from None


def served_flavour(manifest: Manifest, file: Path, flavour: str) -> str:
    """`flavour`, or `cpu` where that one needs a bundle that this site does not have."""
    return "cpu" if row_of(manifest, file, flavour).recipe.lacks_bundle else flavour


def report_notes(notes: Sequence[str]) -> None:
    """What is to be known of the files that ask for packages, a line each on standard error."""
    for note in notes:
        console.print(f"toolkit: {redact_urls(note)}", style="yellow", soft_wrap=True)


def say_nothing(_notes: Sequence[str]) -> None:
    """For commands that change nothing: `lock` and `launch` say what they do with them."""


def recipe_of(
    manifest: Manifest,
    file: Path,
    code: Path | None = None,
    flavour: str = "cpu",
    tell: Callable[[Sequence[str]], None] = say_nothing,
) -> Recipe:
    """The recipe of the image that `manifest` needs, with what the code in `code` adds (default: beside the manifest).

    `tell` gets the notes on the files that ask for packages.

    Raises `ToolkitError` (C102) where it adds what is not locked, or whose lock is stale.
    """
    row = row_of(manifest, file, flavour)
    refuse_bundleless(row.recipe)
    needs = read_additions(code or file.parent, manifest.packages, image_facts(row.recipe), flavour)
    tell(needs.notes)
    additions = needs.additions
    locking = f"toolkit lock {file}" + (f" --flavour {flavour}" if flavour != "cpu" else "")
    if additions and not additions.lock.is_file():
        wanted = ", ".join([*additions.requirements, *additions.packages])
        raise ToolkitError(
            Code.CODE, f"{wanted}: asked for, and not locked ({additions.lock} is missing)", hint=locking
        )
    recipe = replace(row.recipe, additions=additions)
    added = read_lock(additions.lock) if additions else None
    if additions and added and (why := stale_additions(recipe, added)):
        raise ToolkitError(Code.CODE, f"{additions.lock} is stale: {why}", hint=locking)
    wheels = [*read_lock(recipe.lock).wheels, *(added.wheels if added else ())]
    refuse_impossible(row, wheels, manifest.compute.kind)
    return recipe


def named_row(name: str) -> FrameworkRow:
    """The row whose image is `name`; raises `ToolkitError` (C101) with the nearest."""
    from difflib import get_close_matches

    rows = {row.recipe.name: row for row in catalogue()}
    if name not in rows:
        near = get_close_matches(name, rows, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has: {', '.join(rows)}"
        raise ToolkitError(Code.MANIFEST, f"the catalogue has no image {name}", hint=hint)
    refuse_bundleless(rows[name].recipe)
    return rows[name]


def refuse_bundleless(recipe: Recipe) -> None:
    """Raise `ToolkitError` (S103) where the recipe needs a bundle that this site does not have."""
    if recipe.bundle and recipe.lacks_bundle:
        raise ToolkitError(
            Code.IMAGE,
            f"{recipe.name} needs the site's bundle {recipe.bundle.name}, which is on no package index",
            hint=f"name it in {site()} with its file and sha256 (docs/build.md), or take the CPU image",
        )


def facts(image: BuiltImage) -> dict[str, object]:
    """As `--json` tells it."""
    return {"reference": image.reference, "id": image.image_id, "bytes": image.size, "built_now": image.fresh}


def _asked(arguments: argparse.Namespace) -> tuple[Recipe, FrameworkRow]:
    if arguments.image:
        row = named_row(arguments.image[0])
        return row.recipe, row
    file = Path(arguments.manifest)
    manifest = read_manifest(file)
    flavour = served_flavour(manifest, file, arguments.flavour)
    return recipe_of(manifest, file, flavour=flavour, tell=report_notes), row_of(manifest, file, flavour)


def _dry_run(recipe: Recipe, arguments: argparse.Namespace) -> int:
    store = ImageStore()
    stages = Build(recipe, store, builder_named(arguments.builder, store), cache(), lambda _: None).stages()
    rendered = render(recipe, read_lock(recipe.lock), stages, Path(arguments.dry_run))
    if arguments.json:
        print_json({"stages": [{"folder": str(one.folder), "missing": one.missing} for one in rendered]})
    for one in rendered:
        wanted = f"  ({len(one.missing)} files that a build fetches first are not here)" if one.missing else ""
        console.print(f"{one.folder}{wanted}", soft_wrap=True)
    return 0

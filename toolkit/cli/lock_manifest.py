"""`toolkit lock MANIFEST`: what a person's code needs on top of the framework, locked beside the code."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from toolkit.catalogue.model import Recipe
from toolkit.cli.build import report_notes, row_of
from toolkit.cli.compatible import refuse_impossible
from toolkit.cli.output import console, print_json, progress_bar
from toolkit.errors import Code, ToolkitError
from toolkit.lock.changes import changes_of_additions
from toolkit.lock.file import read_lock, write_lock
from toolkit.lock.model import Lock
from toolkit.lock.pool import Pool
from toolkit.manifest.reader import read_manifest
from toolkit.paths import cache
from toolkit.progress import Progress
from toolkit.user_packages.image import image_facts
from toolkit.user_packages.lock import lock_additions, title
from toolkit.user_packages.model import ImageFacts, Needs
from toolkit.user_packages.question import stale_additions
from toolkit.user_packages.read import read_additions


def run(arguments: argparse.Namespace) -> int:
    """Solve the manifest's additions, unless their lock is fresh."""
    if len(arguments.name) != 1:
        raise ToolkitError(Code.MANIFEST, "one manifest at a time", hint="toolkit lock MANIFEST")
    file = Path(arguments.name[0])
    manifest = read_manifest(file)
    row = row_of(manifest, file, arguments.flavour)
    image = image_facts(row.recipe)
    needs = read_additions(file.parent, manifest.packages, image, arguments.flavour)
    report_notes(needs.notes)
    recipe = replace(row.recipe, additions=needs.additions)
    if not recipe.additions:
        console.print(f"{file} asks for nothing besides {recipe.name}: nothing to lock", soft_wrap=True)
        return 0
    refuse_impossible(row, (), manifest.compute.kind, recipe.additions.requirements)
    old = read_lock(recipe.additions.lock) if recipe.additions.lock.is_file() else None
    why = stale_additions(recipe, old) if old else "there is no lock yet"
    if arguments.check:
        console.print(f"{recipe.additions.lock}: {why or 'fresh'}", soft_wrap=True)
        return Code.MANIFEST.exit_status if why else 0
    if why or arguments.update:
        _write(recipe, needs, image, file, old, as_json=arguments.json)
    else:
        console.print(f"{recipe.additions.lock}: left as it was", soft_wrap=True)
    return 0


def _write(recipe: Recipe, needs: Needs, image: ImageFacts, file: Path, old: Lock | None, *, as_json: bool) -> None:
    assert recipe.additions
    warnings: list[str] = []
    with progress_bar() as report:
        pool = Pool(cache() / "pool")
        lock = lock_additions(recipe, needs, image, pool, lambda step: report(Progress("lock", step)), warnings.append)
    report_notes(warnings)
    write_lock(lock, recipe.additions.lock, title(file))
    if as_json:
        wheels = [{"name": wheel.name, "version": wheel.version} for wheel in lock.wheels]
        packages = list(recipe.additions.packages)
        facts = {"lock": str(recipe.additions.lock), "wheels": wheels, "packages": packages}
        print_json({**facts, "notes": [*needs.notes, *warnings]})
    for change in changes_of_additions(read_lock(recipe.lock), old, lock):
        console.print(f"  {change.name}  {change.old or '–'} → {change.new or '–'}", soft_wrap=True)
    console.print(
        f"{recipe.additions.lock}: {len(lock.wheels)} wheels, {len(recipe.additions.packages)} Debian packages",
        soft_wrap=True,
    )

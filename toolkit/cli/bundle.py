"""`toolkit bundle MANIFEST… -o FILE`, and `toolkit bundle load FILE`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from toolkit.catalogue.model import DistributionBase, Recipe
from toolkit.cli.named import recipe_of
from toolkit.cli.output import console, human_size, print_json, progress_bar
from toolkit.errors import Code, ToolkitError
from toolkit.fetch.debs import fetch_debs
from toolkit.fetch.progress import Fetching
from toolkit.fetch.wheels import fetch_wheels
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_recipe
from toolkit.image.version import read_inputs
from toolkit.lock.file import read_lock
from toolkit.lock.pool import Pin, Pool
from toolkit.paths import cache, house
from toolkit.progress import Progress, Report
from toolkit.shipping.bundle import Contents, make_bundle
from toolkit.shipping.own_wheels import gather_wheels


def run(arguments: argparse.Namespace) -> int:
    """Make a bundle, or load one."""
    if arguments.act == "load":
        from toolkit.cli import bundle_load

        return bundle_load.run(arguments)
    return _make(arguments)


def _make(arguments: argparse.Namespace) -> int:
    """Look whether every image is built, fetch what the pool lacks, make the tool's wheels, write it all."""
    manifests, target = [Path(word) for word in arguments.manifest], Path(arguments.output)
    store, pool = ImageStore(), Pool(cache() / "pool")
    recipes = [recipe_of(file, arguments.flavour) for file in manifests] + [buckets_recipe()]
    references = tuple(sorted({read_inputs(recipe).reference for recipe in recipes}))
    _check_built(references, arguments, store)
    pythons = tuple(arguments.python or [f"{sys.version_info.major}.{sys.version_info.minor}"])
    with progress_bar() as report, tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        pins = {pin for recipe in recipes for pin in _fetched(recipe, pool, report)}
        wheels = gather_wheels(house(), pythons, Path(folder), report)
        saved = make_bundle(Contents(references, tuple(pins), wheels, pythons), pool, target, store, report)
    if arguments.json:
        images = [{"reference": image.reference, "id": image.image_id} for image in saved.images]
        facts = {"pool_files": len(pins), "tool_files": len(wheels)}
        print_json({"file": str(target), "bytes": saved.size, "images": images, **facts})
    for image in saved.images:
        console.print(f"{image.reference}\n  {image.image_id}", soft_wrap=True)
    console.print(
        f"{len(pins)} packages of their locks, {len(wheels)} wheels of the tool (Python {', '.join(pythons)})"
    )
    console.print(f"{target}  {human_size(saved.size)}; its README.txt says what to do with it", soft_wrap=True)
    return 0


def _check_built(references: Sequence[str], arguments: argparse.Namespace, store: ImageStore) -> None:
    missing = [reference for reference in references if not store.find(reference)]
    if missing:
        raise ToolkitError(
            Code.IMAGE,
            f"image {', '.join(missing)} is not here",
            hint=" && ".join(f"toolkit build {file} --flavour {arguments.flavour}" for file in arguments.manifest),
        )


def _fetched(recipe: Recipe, pool: Pool, report: Report) -> tuple[Pin, ...]:
    """The pins of the recipe's locks, each in the pool: an image may have come here without its packages."""
    pins: list[Pin] = []
    for file in (recipe.lock, *([recipe.additions.lock] if recipe.additions else [])):
        lock = read_lock(file)
        if isinstance(recipe.base, DistributionBase):
            fetch_debs(lock.debs, recipe.base.suite, pool, _as_progress(report, "packages"))
        fetch_wheels(lock.wheels, recipe.python, pool, _as_progress(report, "wheels"))
        pins += [*lock.debs, *lock.wheels]
    if recipe.native:
        pins += _fetched(recipe.native.compiler, pool, report)
    return tuple(pins)


def _as_progress(report: Report, stage: str) -> Callable[[Fetching], None]:
    return lambda state: report(Progress(stage, state.file, state.position, state.count, note=state.note))

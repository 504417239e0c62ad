"""Bundles: images, their packages and the tool itself in one file, for a machine without a network."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.api.references import recipe_in
from toolkit.catalogue.choose import CPU
from toolkit.catalogue.model import DistributionBase, Recipe
from toolkit.errors import Code, ToolkitError
from toolkit.fetch.debs import fetch_debs
from toolkit.fetch.wheels import fetch_wheels
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_recipe
from toolkit.image.version import read_inputs
from toolkit.lock.file import read_lock
from toolkit.lock.pool import Pin, Pool
from toolkit.paths import assets, cache
from toolkit.progress import Report, silent
from toolkit.shipping import bundle
from toolkit.shipping.archive import read_archive
from toolkit.shipping.load import LoadedImage
from toolkit.shipping.load import load_images as load_into_engine
from toolkit.shipping.own_wheels import gather_wheels
from toolkit.shipping.save import Saved
from toolkit.shipping.unbundle import check_bundle, fill_pool


@dataclass(frozen=True)
class Bundle:
    """The contents of a bundle: images, number of locked packages, the tool's wheels and their Python versions."""

    saved: Saved
    packages: int
    wheels: int
    pythons: tuple[str, ...]


@dataclass(frozen=True)
class LoadedBundle:
    """What was loaded from a bundle: packages into `pool` (others were already there), images into the engine."""

    pool: Path
    taken: int
    packages: int
    images: tuple[LoadedImage, ...]


def make_bundle(
    manifests: Sequence[str | Path],
    file: str | Path,
    *,
    flavour: str = CPU,
    pythons: Sequence[str] = (),
    report: Report = silent,
) -> Bundle:
    """Write the images of `manifests`, their packages and the tool's wheels to one file.

    `pythons` are versions such as `3.11` that the tool must run on there (default: this one).

    Raises:
        ToolkitError: S103 if an image is not built, or a package cannot be fetched.

    Example:
        >>> api.make_bundle(["manifest.yml"], "site.tar", pythons=["3.11"]).saved.size
    """
    store, pool = ImageStore(), Pool(cache() / "pool")
    files = [Path(one) for one in manifests]
    recipes = [recipe_in(one, flavour) for one in files] + [buckets_recipe()]
    references = tuple(sorted({read_inputs(recipe).reference for recipe in recipes}))
    if missing := [reference for reference in references if not store.find(reference)]:
        building = " && ".join(f"toolkit build {one} --flavour {flavour}" for one in files)
        raise ToolkitError(Code.IMAGE, f"image {', '.join(missing)} is not here", hint=building)
    versions = tuple(pythons or [f"{sys.version_info.major}.{sys.version_info.minor}"])
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        pins = {pin for recipe in recipes for pin in _fetched(recipe, pool, report)}
        wheels = gather_wheels(assets(), versions, Path(folder), report)
        contents = bundle.Contents(references, tuple(pins), wheels, versions)
        saved = bundle.make_bundle(contents, pool, Path(file), store, report)
        return Bundle(saved, len(pins), len(wheels), versions)


def load_bundle(file: str | Path, *, images: bool = True, report: Report = silent) -> LoadedBundle:
    """Verify the whole file; then add its packages to the pool and, with `images`, load its images.

    Raises:
        ToolkitError: S103 for a damaged file.

    Example:
        >>> api.load_bundle("site.tar").images
    """
    pool = Pool(cache() / "pool")
    checked = check_bundle(read_archive(Path(file)), report)
    taken = fill_pool(checked, pool, report)
    loaded = load_into_engine(checked.archive, checked.images, ImageStore(), report) if images else ()
    return LoadedBundle(pool.folder, taken, len(checked.pins), tuple(loaded))


def _fetched(recipe: Recipe, pool: Pool, report: Report) -> tuple[Pin, ...]:
    """The pins of the recipe's locks, all in the pool: an image may have been loaded without its packages."""
    pins: list[Pin] = []
    for file in (recipe.lock, *([recipe.additions.lock] if recipe.additions else [])):
        lock = read_lock(file)
        if isinstance(recipe.base, DistributionBase):
            fetch_debs(lock.debs, recipe.base.suite, pool, report)
        fetch_wheels(lock.wheels, recipe.python, pool, report)
        pins += [*lock.debs, *lock.wheels]
    if recipe.native:
        pins += _fetched(recipe.native.compiler, pool, report)
    return tuple(pins)

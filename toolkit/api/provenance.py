"""Build provenance: time, engine and inputs; stored beside the image, never in it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from toolkit.catalogue.model import DistributionBase, Recipe
from toolkit.image.build import BuiltImage
from toolkit.image.store import ImageStore
from toolkit.inventory.images import engine_images, pick
from toolkit.lock.file import read_lock
from toolkit.paths import cache
from toolkit.sbom.provenance import BuildRun, provenance
from toolkit.sbom.write import PROVENANCE, sbom_folder, write_sbom_files


def now() -> str:
    """The time in provenance's format: UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def keep_provenance(recipe: Recipe, built: BuiltImage, started: str, store: ImageStore) -> None:
    """Write the provenance of a newly built image to the cache."""
    image = pick(built.reference, engine_images(store))
    run = BuildRun(str(uuid.uuid4()), started, now(), engine=store.engine.version())
    text = provenance(image, read_lock(recipe.lock), _distribution(recipe), run)
    write_sbom_files({PROVENANCE: text}, sbom_folder(cache(), image))


def _distribution(recipe: Recipe) -> str:
    """The distribution's name in package URLs."""
    archives = recipe.base.suite.archives if isinstance(recipe.base, DistributionBase) else ()
    return next((archive.name for archive in archives), "debian").partition("-")[0]

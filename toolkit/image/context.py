"""The build context: what the engine gets to build an image from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from toolkit.catalogue.model import Recipe
from toolkit.catalogue.version import tree_files
from toolkit.image.render import context_name
from toolkit.tar_stream import Entry


def build_context(recipe: Recipe, dockerfile: str, wheels: dict[str, Path]) -> Iterator[Entry]:
    """What the engine gets: the Dockerfile, the lock with its wheels, and the recipe's trees."""
    yield Entry("Dockerfile", dockerfile.encode())
    if recipe.lock:
        yield Entry("wheels/requirements.lock", recipe.lock)
        for wheel in sorted(wheels.values()):
            yield Entry(f"wheels/{wheel.name}", wheel)
    for index, tree in enumerate(recipe.trees):
        for name, file in tree_files(tree):
            executable = file.stat().st_mode & 0o100
            yield Entry(f"{context_name(index)}/{name}".rstrip("/"), file, 0o755 if executable else 0o644)

"""What the framework's image has, from its lock: requirements are compared with it."""

from __future__ import annotations

import re

from toolkit.catalogue.model import Recipe
from toolkit.lock.file import read_lock
from toolkit.user_packages.model import ImageFacts

_RELEASE = re.compile(r"\d+\.\d+\.\d+")


def image_facts(recipe: Recipe) -> ImageFacts:
    """The facts of `recipe`'s image; raises `ToolkitError` (S103) if its lock is missing or invalid."""
    lock = read_lock(recipe.lock)
    python = next((deb.version for deb in lock.debs if deb.name == f"python{recipe.python}"), "")
    full = _RELEASE.match(python)
    return ImageFacts(recipe.name, recipe.python, full[0] if full else f"{recipe.python}.0", lock.wheels)

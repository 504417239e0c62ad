"""The inputs of the lock of user packages. Pure except for reading the framework's own lock, which is one of them."""

from __future__ import annotations

import hashlib
import json

from toolkit.atomic_file import sha256_of
from toolkit.catalogue.model import Recipe
from toolkit.lock.model import Lock

ADDITIONS_FORMAT = 2
"""Incremented when the same files get another meaning: then every lock of user packages is stale."""


def additions_question(recipe: Recipe) -> str:
    """SHA-256 of the requirements and of the framework's lock, whose versions also apply to user packages."""
    assert recipe.additions
    asked = [
        ADDITIONS_FORMAT,
        sha256_of(recipe.lock),
        sorted(recipe.additions.requirements),
        sorted(recipe.additions.packages),
        sorted(recipe.additions.constraints),
        sorted(recipe.additions.hashes),
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def stale_additions(recipe: Recipe, lock: Lock) -> str:
    """Why `lock` is stale for the recipe's user packages; empty if it is not."""
    if lock.asked == additions_question(recipe):
        return ""
    return "the requirements, packages or the framework's lock changed since, or are now read differently"

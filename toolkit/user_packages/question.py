"""What the lock of a person's additions answers. Pure but for the framework's own lock, which is part of it."""

from __future__ import annotations

import hashlib
import json

from toolkit.atomic_file import sha256_of
from toolkit.catalogue.model import Recipe
from toolkit.lock.model import Lock

ADDITIONS_FORMAT = 2
"""Counted up where the same files are read to mean something else: then every lock of additions is stale."""


def additions_question(recipe: Recipe) -> str:
    """SHA-256 of what is asked for, and of the framework's lock, whose versions hold for the additions too."""
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
    """Why `lock` does not serve the recipe's additions any more, in words; empty where it does."""
    if lock.asked == additions_question(recipe):
        return ""
    return "the requirements, packages or the framework's lock changed since, or are now read differently"

"""What a lock answers: the question that a recipe asks, as a hash; and whether a lock still answers it. Pure.

The Dockerfile's template is no part of the question: where it alone changed, every pin still holds.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from toolkit.catalogue.model import DistributionBase, Recipe
from toolkit.lock.model import Lock

LOCK_FORMAT = 1
"""Counted up when a lock is written in another way; then every lock is stale."""
ASKS_ELSE = "the recipe asks something else now"
TEMPLATE_CHANGED = "the template changed"


def question(recipe: Recipe) -> str:
    """SHA-256 of all that decides which files `recipe` needs: suite, packages, requirements, Python, platform."""
    return _sha256([LOCK_FORMAT, _debs_asked(recipe), sorted(recipe.requirements), recipe.python, _platform(recipe)])


def deb_question(recipe: Recipe) -> str:
    """SHA-256 of what decides the Debian packages alone: recipes that agree in it share one base."""
    return _sha256([LOCK_FORMAT, _debs_asked(recipe)])


def template_digest(recipe: Recipe) -> str:
    """SHA-256 of the template's bytes; raises OSError where it is not there."""
    return hashlib.sha256(recipe.template.read_bytes()).hexdigest()


def stale(recipe: Recipe, lock: Lock) -> str:
    """Why `lock` does not serve `recipe` any more, in words; empty where it does."""
    if lock.asked != question(recipe):
        return ASKS_ELSE
    if lock.template != template_digest(recipe):
        return TEMPLATE_CHANGED
    return ""


def _debs_asked(recipe: Recipe) -> Any:
    base = recipe.base
    if not isinstance(base, DistributionBase):
        return {"image": base.image}
    # URLs are no part of it: a site's mirror gives the same files. The order of a list means nothing to apt.
    archives = [[a.name, sorted(a.suites), sorted(a.components)] for a in base.suite.archives]
    return {
        "suite": base.suite.name,
        "archives": sorted(archives),
        "packages": sorted(base.packages),
        "variant": base.variant,
    }


def _platform(recipe: Recipe) -> str:
    base = recipe.base
    return f"x86_64 glibc {base.suite.glibc}" if isinstance(base, DistributionBase) else "x86_64"


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

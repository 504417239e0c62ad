"""A lock's requirements as a hash, and whether a lock still matches its recipe. Pure.

The Dockerfile's template is not part of the requirements: if only it changed, every pin is still valid.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from toolkit.catalogue.model import DistributionBase, Recipe
from toolkit.lock.model import Lock

LOCK_FORMAT = 1
"""Incremented when the format of locks changes; then every lock is stale."""
ASKS_ELSE = "the recipe changed"
TEMPLATE_CHANGED = "the template changed"


def question(recipe: Recipe) -> str:
    """SHA-256 of all that decides which files `recipe` needs: suite, packages, requirements, Python, platform."""
    base = recipe.base
    platform = f"x86_64 glibc {base.suite.glibc}" if isinstance(base, DistributionBase) else "x86_64"
    return _sha256([LOCK_FORMAT, _debs_asked(recipe), sorted(recipe.requirements), recipe.python, platform])


def deb_question(recipe: Recipe) -> str:
    """SHA-256 of what decides the Debian packages: recipes that agree in it share one base."""
    return _sha256([LOCK_FORMAT, _debs_asked(recipe)])


def template_digest(recipe: Recipe) -> str:
    """SHA-256 of the template's bytes; raises OSError if it does not exist."""
    return hashlib.sha256(recipe.template.read_bytes()).hexdigest()


def stale(recipe: Recipe, lock: Lock) -> str:
    """Why `lock` no longer matches `recipe`, in words; empty if it does."""
    if lock.asked != question(recipe):
        return ASKS_ELSE
    if lock.template != template_digest(recipe):
        return TEMPLATE_CHANGED
    return ""


def _debs_asked(recipe: Recipe) -> Any:
    base = recipe.base
    if not isinstance(base, DistributionBase):
        return {"image": base.image}
    # URLs are not included: a site's mirror gives the same files. apt ignores the order of a list.
    archives = [[a.name, sorted(a.suites), sorted(a.components)] for a in base.suite.archives]
    return {
        "suite": base.suite.name,
        "archives": sorted(archives),
        "packages": sorted(base.packages),
        "variant": base.variant,
    }


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

"""Solving a person's additions: on top of the framework's lock, whose versions hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from toolkit.additions.question import additions_question
from toolkit.additions.stages import packages_base
from toolkit.catalogue.model import DistributionBase, Recipe
from toolkit.catalogue.version import ADDITIONS_TEMPLATE
from toolkit.errors import Code, ToolkitError
from toolkit.lock.debs import solve_debs
from toolkit.lock.file import read_lock
from toolkit.lock.model import Lock, WheelPin
from toolkit.lock.pool import Pool
from toolkit.lock.wheels import solve_wheels
from toolkit.whole_file import sha256_of


def lock_additions(recipe: Recipe, pool: Pool, on_step: Callable[[str], None]) -> Lock:
    """The lock of the recipe's additions.

    Its wheels are those that the framework's image has not; its Debian packages are all of the base and the
    additions together, as the base is made of them once more. Raises `ToolkitError` with the solver's words.
    """
    assert recipe.additions
    wheels: tuple[WheelPin, ...] = ()
    if recipe.additions.requirements:
        on_step("asking the index for wheels")
        wheels = _new_wheels(recipe)
    debs = solve_debs(packages_base(recipe), pool, on_step) if recipe.additions.packages else ()
    template = sha256_of(recipe.template.parent / ADDITIONS_TEMPLATE)
    return Lock(additions_question(recipe), template, debs, wheels)


def _new_wheels(recipe: Recipe) -> tuple[WheelPin, ...]:
    assert recipe.additions
    if not isinstance(recipe.base, DistributionBase):
        raise ToolkitError(Code.MANIFEST, "requirements cannot be locked for an image of a registry")
    there = {wheel.name: wheel.version for wheel in read_lock(recipe.lock).wheels}
    constraints = [f"{name}=={version}" for name, version in there.items()]
    solved = solve_wheels(recipe.additions.requirements, recipe.python, recipe.base.suite, constraints)
    return tuple(wheel for wheel in solved if wheel.name not in there)


def title(manifest: Path) -> str:
    """What the lock's file says of itself."""
    return f"additions of {manifest.name}"

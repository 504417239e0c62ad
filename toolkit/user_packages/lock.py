"""Resolve user packages on top of the framework's lock, whose versions are fixed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from toolkit.atomic_file import sha256_of
from toolkit.catalogue.model import DistributionBase, Recipe
from toolkit.catalogue.reader import ADDITIONS_TEMPLATE
from toolkit.errors import Code, ToolkitError
from toolkit.lock.debs import solve_debs
from toolkit.lock.model import Lock, WheelPin
from toolkit.lock.pool import Pool
from toolkit.lock.wheels import UnsolvedError, solve_wheels
from toolkit.user_packages.explain import explain, files_of, hints
from toolkit.user_packages.model import ImageFacts, Needs
from toolkit.user_packages.question import additions_question
from toolkit.user_packages.stand_ins import constraints_of, write_stand_ins


def lock_additions(
    recipe: Recipe,
    needs: Needs,
    image: ImageFacts,
    pool: Pool,
    on_step: Callable[[str], None],
    on_warning: Callable[[str], None],
) -> Lock:
    """The lock of the recipe's user packages, which are those of `needs`.

    Its wheels are those that the framework's image lacks; its Debian packages are all those of the base and the user
    packages together, as the base is built again with them. `on_warning` gets what the resolver ignores, such as an
    extra that a package does not have. Raises `ToolkitError` with the resolver's message, naming the sources of
    requirements.
    """
    assert recipe.additions
    wheels: tuple[WheelPin, ...] = ()
    if recipe.additions.requirements:
        on_step("resolving wheels")
        wheels = _new_wheels(recipe, needs, image, on_warning)
    debs = solve_debs(packages_base(recipe), pool, on_step) if recipe.additions.packages else ()
    template = sha256_of(recipe.template.parent / ADDITIONS_TEMPLATE)
    return Lock(additions_question(recipe), template, debs, wheels)


def _new_wheels(
    recipe: Recipe, needs: Needs, image: ImageFacts, on_warning: Callable[[str], None]
) -> tuple[WheelPin, ...]:
    assert recipe.additions
    if not isinstance(recipe.base, DistributionBase):
        raise ToolkitError(Code.MANIFEST, "requirements cannot be locked for an image from a registry")
    asked, holds = recipe.additions, image.holds
    with tempfile.TemporaryDirectory(prefix="toolkit-lock-") as name:
        stand_ins = write_stand_ins(holds, Path(name))
        try:
            solved = solve_wheels(
                asked.requirements,
                recipe.python,
                recipe.base.suite,
                [*constraints_of(holds), *asked.constraints],
                hashes={package: frozenset(digests) for package, digests in asked.hashes},
                beside=Path(name),
                apart=stand_ins,
                on_warning=on_warning,
            )
        except UnsolvedError as error:
            raise _unsolved(error, needs, image, recipe.base.suite.title) from None
    wheels = tuple(wheel for wheel in solved if wheel.name not in holds)
    _refuse_outside(wheels, needs)
    return wheels


def _refuse_outside(wheels: tuple[WheelPin, ...], needs: Needs) -> None:
    """Raise `ToolkitError` (C102) if a wheel violates a constraint; for an old Python, no resolver applies them."""
    versions = {wheel.name: wheel.version for wheel in wheels}
    for one in needs.constraints:
        version = versions.get(one.name)
        if version and not one.requirement.specifier.contains(version, prereleases=True):
            raise ToolkitError(Code.CODE, f"{one.place} allows only {one.text}, but {version} is requested")


def _unsolved(error: UnsolvedError, needs: Needs, image: ImageFacts, suite: str) -> ToolkitError:
    return ToolkitError(
        Code.IMAGE,
        f"no wheels satisfy {files_of(needs.wanted)} for Python {image.python} on {suite}, beside {image.name}",
        evidence=explain(error.said, image, needs.wanted, needs.constraints),
        hint=hints(error.said) or error.hint,
    )


def title(manifest: Path) -> str:
    """The description in the lock file."""
    return f"additions of {manifest.name}"


def packages_base(recipe: Recipe) -> DistributionBase:
    """The recipe's base with the user's packages; raises `ToolkitError` (C101) if the base is from a registry."""
    if not isinstance(recipe.base, DistributionBase):
        raise ToolkitError(Code.MANIFEST, "Debian packages cannot be added to an image of a registry")
    assert recipe.additions
    return replace(recipe.base, packages=(*recipe.base.packages, *recipe.additions.packages))

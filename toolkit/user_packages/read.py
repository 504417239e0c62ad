"""What the user's code needs besides the framework, read from the files that people already have.

Python packages come from the selected file next to the code (`formats`), Debian packages from the manifest.
"""

from __future__ import annotations

import re
from pathlib import Path

from toolkit.catalogue.model import Additions, Recipe
from toolkit.errors import Code, ToolkitError
from toolkit.lock.file import read_lock
from toolkit.user_packages.fits import fit
from toolkit.user_packages.formats import read_asked
from toolkit.user_packages.model import Asked, ImageFacts, Needs, Wanted

LOCKS = {"cpu": "toolkit.lock", "cuda": "toolkit-cuda.lock"}
"""Next to the code, per flavour: a lock depends on the versions of one flavour of the framework."""


_RELEASE = re.compile(r"\d+\.\d+\.\d+")


def image_facts(recipe: Recipe) -> ImageFacts:
    """What `recipe`'s image has; raises `ToolkitError` (S103) if its lock is missing or invalid."""
    lock = read_lock(recipe.lock)
    python = next((deb.version for deb in lock.debs if deb.name == f"python{recipe.python}"), "")
    full = _RELEASE.match(python)
    return ImageFacts(recipe.name, recipe.python, full[0] if full else f"{recipe.python}.0", lock.wheels)


def read_additions(code: Path, packages: tuple[str, ...], image: ImageFacts, flavour: str = "cpu") -> Needs:
    """What the code in the folder `code`, with the manifest's `packages`, needs on top of `image`.

    Raises `ToolkitError` (C102) with file and line of everything that cannot be locked or conflicts with the image.
    """
    asked = fit(read_asked(code, image), image)
    if asked.problems:
        raise _refused(code, asked)
    constraints = (*asked.constraints, *asked.pins)
    additions = Additions(
        requirements=tuple(dict.fromkeys(one.text for one in asked.wanted)),
        packages=tuple(sorted(packages)),
        lock=code / LOCKS[flavour],
        constraints=tuple(dict.fromkeys(one.text for one in constraints)) if asked.wanted else (),
        hashes=_hashes((*asked.wanted, *constraints)) if asked.wanted else (),
    )
    empty = not additions.requirements and not additions.packages
    return Needs(None if empty else additions, (*asked.notes, *_unhashed(asked)), asked.wanted, constraints)


def _unhashed(asked: Asked) -> tuple[str, ...]:
    """Requirements without hashes while others have them: pip refuses this; here they get the index's."""
    bare = dict.fromkeys(one.name for one in asked.wanted if not one.hashes)
    some = any(one.hashes for one in asked.wanted)
    return (f"no hashes given for {', '.join(bare)}: the index's are locked",) if some and bare else ()


def _hashes(wanted: tuple[Wanted, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """For each package, the files that are acceptable to all requirements with hashes for it."""
    found: dict[str, frozenset[str]] = {}
    for one in wanted:
        if one.hashes:
            found[one.name] = found.get(one.name, one.hashes) & one.hashes
    return tuple((name, tuple(sorted(found[name]))) for name in sorted(found))


def _refused(code: Path, asked: Asked) -> ToolkitError:
    files = dict.fromkeys(problem.place.file for problem in asked.problems if problem.place)
    held = any("the image" in problem.what for problem in asked.problems)
    hint = "drop the version, or choose a framework that has it: toolkit frameworks" if held else ""
    what = f"{' and '.join(files) or code} {'require' if len(files) > 1 else 'requires'} packages that cannot be locked"
    return ToolkitError(Code.CODE, what, tuple(dict.fromkeys(asked.problems)), hint=hint)

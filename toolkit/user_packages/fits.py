"""Compare requirements with the framework's image: what it has already, and what conflicts with it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from packaging.version import Version

from toolkit.errors import Problem
from toolkit.lock.model import WheelPin
from toolkit.user_packages.frameworks import answers, framework_of, is_name_of_a_framework
from toolkit.user_packages.model import Asked, ImageFacts, Wanted, shown


def fit(asked: Asked, image: ImageFacts) -> Asked:
    """`asked` without what the image already has, with notes on that, and a problem for each version that it lacks.

    A constraint on a package of the image must allow its version; pins from another tool's lock yield to it.
    """
    holds = image.holds
    met = [(one, answers(one.name, holds)) for one in asked.wanted]
    problems = [_conflict(one, wheel, image) for one, wheel in met if wheel and not _serves(one, wheel)]
    limits = [(one, answers(one.name, holds)) for one in asked.constraints]
    problems += [
        _conflict(one, wheel, image, "allows only") for one, wheel in limits if wheel and not _serves(one, wheel)
    ]
    frameworks = [(one, wheel) for one, wheel in met if wheel and is_name_of_a_framework(one.name)]
    # A requirement with extras remains: the extras' packages are not in the image.
    plain = [(one, wheel) for one, wheel in met if wheel and not one.requirement.extras]
    there = [pair for pair in plain if pair not in frameworks]
    left_out = {id(one) for one, _ in (*frameworks, *there)}
    pins = tuple(pin for pin in asked.pins if answers(pin.name, holds) is None)
    notes = [_about_framework(one, wheel) for one, wheel in frameworks if _serves(one, wheel)]
    if names := [f"{wheel.name} {wheel.version}" for one, wheel in there if _serves(one, wheel)]:
        notes.append(f"already in the image: {', '.join(dict.fromkeys(names))}")
    notes += _give_way(asked.pins, holds)
    if asked.skipped:
        notes.append(f"not for Python {image.python} on Linux (x86_64), skipped: {', '.join(asked.skipped)}")
    return replace(
        asked,
        wanted=tuple(one for one in asked.wanted if id(one) not in left_out),
        constraints=tuple(one for one, wheel in limits if wheel is None),
        pins=pins,
        notes=(*asked.notes, *dict.fromkeys(notes)),
        problems=(*asked.problems, *problems),
    )


def held_words(wheel: WheelPin, image: ImageFacts) -> str:
    """`the image's tensorflow-cpu 2.19.1 pins keras at 3.15.1`."""
    framework = framework_of(image.holds)
    if framework is None or framework.name == wheel.name:
        return f"the image has {wheel.name} {wheel.version}"
    return f"the image's {framework.name} {framework.version} pins {wheel.name} at {wheel.version}"


def _serves(wanted: Wanted, wheel: WheelPin) -> bool:
    if not wanted.requirement.specifier.contains(Version(wheel.version), prereleases=True):
        return False
    # The same version under another name is a different file.
    return not wanted.hashes or wanted.name != wheel.name or wheel.sha256 in wanted.hashes


def _conflict(wanted: Wanted, wheel: WheelPin, image: ImageFacts, verb: str = "requires") -> Problem:
    if wanted.requirement.specifier.contains(Version(wheel.version), prereleases=True):
        what = f"{wanted.text}: {held_words(wheel, image)}, from a file whose SHA-256 matches none of the given hashes"
    else:
        what = f"{verb} {wanted.text}; {held_words(wheel, image)}"
    return Problem(what, wanted.place)


def _about_framework(wanted: Wanted, wheel: WheelPin) -> str:
    extras = f", and its extras ({', '.join(sorted(wanted.requirement.extras))}) are skipped too"
    return (
        f"{shown(wanted.place)}: {wanted.text} is satisfied by the image's {wheel.name} {wheel.version}; it is not"
        f" installed again{extras if wanted.requirement.extras else ''}"
    )


def _give_way(pins: Iterable[Wanted], holds: Mapping[str, WheelPin]) -> list[str]:
    """The packages whose version in the image differs from the other tool's lock."""
    met = [(pin, answers(pin.name, holds)) for pin in pins]
    others = [(pin, wheel) for pin, wheel in met if wheel and not pin.requirement.specifier.contains(wheel.version)]
    if not others:
        return []
    names = ", ".join(f"{pin.text} ({wheel.version})" for pin, wheel in others)
    return [f"{Path(others[0][0].place.file).name} yields to the image's versions: {names}"]

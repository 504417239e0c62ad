"""Reasoning about all versions in a range, without asking an index which versions exist.

Between two neighbouring versions named by ranges or facts, all versions are equivalent: one represents each interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from packaging.specifiers import Specifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from toolkit.compatibility.model import version_of

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_DEEPEST = 6
"""More components than any version of these libraries has, so that one more is a version just above it."""


def newest_admitted(bounds: SpecifierSet, landmarks: Iterable[Version]) -> Version | None:
    """A version that represents the newest that `bounds` allow; None if they allow nothing.

    `landmarks` are the versions at which facts change. The result may be a version that was never released.
    """
    named = [version_of(specifier.version.removesuffix(".*")) for specifier in bounds]
    points = [Version("0"), *landmarks, *(version for version in named if version)]
    stretches = sorted({*points, *map(_just_above, points)}, reverse=True)
    return next((version for version in stretches if bounds.contains(version, prereleases=True)), None)


def exact(bounds: SpecifierSet) -> Version | None:
    """The one version that `bounds` pin with `==`, or None."""
    pins = [pin.version for pin in bounds if pin.operator == "==" and not pin.version.endswith(".*")]
    return version_of(pins[0]) if pins else None


def parse(requirements: Sequence[str], python: str) -> tuple[Requirement, ...]:
    """The requirements that apply on Linux and this Python; invalid PEP 508 is left for the resolver to refuse.

    What parses them is imported for them: a locked image has none.
    """
    if not requirements:
        return ()
    from packaging.markers import UndefinedEnvironmentName

    environment = {
        "extra": "",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_system": "Linux",
        "sys_platform": "linux",
    }
    if python:
        environment |= {"python_version": python, "python_full_version": python}
    found: list[Requirement] = []
    for requirement in filter(None, map(requirement_of, requirements)):
        with suppress(UndefinedEnvironmentName):
            if requirement.marker is None or requirement.marker.evaluate(environment):
                found.append(requirement)
    return tuple(found)


def requirement_of(text: str) -> Requirement | None:
    """`text` as a requirement, or None if it is not PEP 508."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def asked_of(requirements: Sequence[Requirement], name: str) -> tuple[SpecifierSet, bool]:
    """All bounds on the project `name` together, and whether one of them is a URL, whose version is unknown."""
    bounds, by_url = SpecifierSet(), False
    for requirement in requirements:
        if canonicalize_name(requirement.name) == canonicalize_name(name):
            bounds &= requirement.specifier
            by_url = by_url or requirement.url is not None
    return bounds, by_url


def spelled(bounds: SpecifierSet) -> str:
    """`≥ 9.3, < 10`: lower bounds first."""
    signs = {">=": "≥ ", "<=": "≤ ", "==": "", "~=": "~= ", ">": "> ", "<": "< ", "!=": "not "}
    return ", ".join(f"{signs.get(part.operator, part.operator)}{part.version}" for part in _ordered(bounds))


def as_requirement(bounds: SpecifierSet) -> str:
    """In requirement syntax, `>=9.3,<10`: lower bounds first."""
    return ",".join(map(str, _ordered(bounds)))


def _ordered(bounds: SpecifierSet) -> list[Specifier]:
    return sorted(bounds, key=lambda part: ("<" in part.operator, part.version))


def _just_above(version: Version) -> Version:
    return Version(".".join(map(str, (*version.release, *(0,) * _DEEPEST)[:_DEEPEST])) + ".1")

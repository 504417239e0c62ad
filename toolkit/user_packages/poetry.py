"""Poetry's dependencies in `pyproject.toml`: its constraints converted to PEP 440, its tables to PEP 508."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from toolkit.errors import Place
from toolkit.user_packages.model import Asked, ImageFacts, place_at
from toolkit.user_packages.requirement import from_elsewhere, holds, needs_python, problem, read_requirement, together
from toolkit.user_packages.text import items, line_at, line_of_entry, table

POETRY = "poetry"
_NOT_OF_AN_INDEX = ("git", "path", "url", "file", "source")
_ANY_BEHIND = re.compile(r"(\d+(?:\.\d+)*)(?:\.[*xX])+")
_PART = re.compile(r"(\^|~=|~|===|==|!=|<=|>=|=|<|>)?\s*v?([^\s,<>=!~^]+)")


def specifiers(constraint: str) -> tuple[SpecifierSet, ...]:
    """Poetry's version constraint as the alternatives of its `||`; raises ValueError if it is not one.

    `^1.2` is `>=1.2,<2`, `~1.2` is `>=1.2,<1.3`, `1.2.*` (`1.2.x`) and `1.2` mean what they say, `*` is anything. A
    `.*` after an operator other than `==` and `!=`, as in old projects (`>=3.6.*`), is ignored.
    """
    return tuple(_all_of(part) for part in re.split(r"\s*\|\|?\s*", constraint.strip()))


def read_poetry(
    file: Path,
    text: str,
    poetry: dict[str, Any],
    image: ImageFacts,
    extras: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    *,
    has_project: bool = False,
) -> Asked:
    """The requirements of `[tool.poetry]`: its dependencies, with the selected `extras` and `groups`.

    `has_project`: the dependencies are in PEP 621's table, and Poetry's only defines their sources.
    """
    wanted: set[str] = {canonicalize_name(extra) for extra in extras}
    optional: dict[str, list[Any]] = {canonicalize_name(k): items(v) for k, v in table(poetry.get("extras")).items()}
    taken: set[str] = {canonicalize_name(str(name)) for extra in wanted for name in optional.get(extra, [])}
    there = groups_of(poetry)
    asked: set[str] = {canonicalize_name(name) for name in groups}
    tables = [(table(poetry.get("dependencies")), has_project)]
    tables += [(table(there[name].get("dependencies")), False) for name in there if name in asked]
    parts = [_dependencies(file, text, image, entries, taken, only_sources) for entries, only_sources in tables]
    for kind, left in (("groups", set(there) - asked), ("extras", set(optional) - wanted)):
        parts.append(not_selected(file, kind, left, whose="Poetry's "))
    if poetry.get("source"):
        parts.append(
            Asked(notes=(f"{file.name}: [[tool.poetry.source]] is ignored: wheels come from this machine's index",))
        )
    return together(parts)


def not_selected(file: Path, kind: str, names: Iterable[str], whose: str = "") -> Asked:
    """A note with the `extras` or `groups` (`kind`) that were left out, if any."""
    if not (left := sorted(names)):
        return Asked()
    how = f'`{kind} = ["{left[0]}"]` in [tool.toolkit] selects one'
    return Asked(notes=(f"{file.name}: {whose}{kind} not selected: {', '.join(left)} ({how})",))


def groups_of(poetry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Poetry's groups by normalized name; the old `dev-dependencies` are the group `dev`."""
    there: dict[str, dict[str, Any]] = {}
    for name, group in table(poetry.get("group")).items():
        there[canonicalize_name(name)] = table(group)
    if poetry.get("dev-dependencies"):
        there["dev"] = {"dependencies": poetry["dev-dependencies"]}
    return there


def of_table(name: str, value: Any, place: Place, image: ImageFacts, source_line: str = "") -> Asked:
    """One entry: a version, a table (`{version, extras, markers, python, …}`), or a list of these."""
    if isinstance(value, list):
        return together([of_table(name, one, place, image, source_line) for one in value])
    if not isinstance(value, (str, dict)):
        return problem(f"{name}: expected a version in quotes, or a table", place, source_line)
    entry = {"version": value} if isinstance(value, str) else value
    if elsewhere := next((key for key in _NOT_OF_AN_INDEX if entry.get(key)), None):
        return problem(from_elsewhere(name, elsewhere), place, source_line)
    try:
        if not _counts(entry, image):
            return Asked(skipped=(f"{name} ({place.file.rpartition('/')[2]}:{place.line})",))
        alternatives = specifiers(str(entry.get("version", "*")))
    except ValueError as error:  # InvalidMarker is a ValueError
        return problem(f"{name}: {str(error).splitlines()[0]}", place, source_line)
    if len(alternatives) > 1:
        what = f"{name}: `{entry['version']}` has alternatives, which the resolver does not support: choose one"
        return problem(what, place, source_line)
    extras = f"[{','.join(map(str, items(entry.get('extras'))))}]" if entry.get("extras") else ""
    found = read_requirement(f"{name}{extras}{alternatives[0]}", place, image, source_line=source_line)
    if entry.get("allow-prereleases"):
        found += Asked(notes=(f"{name}: `allow-prereleases` is ignored: pin a pre-release by its version",))
    return found


def _dependencies(
    file: Path, text: str, image: ImageFacts, entries: dict[str, Any], taken: set[str], only_sources: bool
) -> Asked:
    """A table of dependencies; optional ones only if they are in `taken`. `python` is the image's."""
    parts = []
    for name, value in entries.items():
        line = line_of_entry(text, name)
        place = place_at(file, line)
        optional = bool(table(value).get("optional")) and canonicalize_name(name) not in taken
        if name.lower() == "python":
            try:
                parts.append(needs_python(file, str(value), image, fits=_allows(str(value), image)))
            except ValueError as error:
                parts.append(problem(f"python: {error}", place))
        elif not optional and (not only_sources or any(key in table(value) for key in _NOT_OF_AN_INDEX)):
            parts.append(of_table(name, value, place, image, line_at(text, line)))
    return together(parts)


def _allows(python: str, image: ImageFacts) -> bool:
    return any(one.contains(image.full_python, prereleases=True) for one in specifiers(python))


def _counts(entry: dict[str, Any], image: ImageFacts) -> bool:
    """Whether the entry's marker, Python and platform match the image."""
    if entry.get("markers") and not holds(str(entry["markers"]), image):
        return False
    if entry.get("platform") and entry["platform"] != "linux":
        return False
    return _allows(str(entry.get("python", "*")), image)


def _all_of(text: str) -> SpecifierSet:
    if not text:
        raise ValueError("a version is missing")
    found, at = SpecifierSet(), 0
    while at < len(text):
        match = _PART.match(text, at)
        if not match:
            raise ValueError(f"`{text}` is not a version constraint")
        found &= _one(match[1] or "", match[2])
        at = match.end()
        at += len(re.match(r"[\s,]*", text[at:])[0])  # type: ignore[index]
    return found


def _one(sign: str, version: str) -> SpecifierSet:
    try:
        if version == "*":
            return SpecifierSet()
        if match := _ANY_BEHIND.fullmatch(version):
            if sign in ("", "=", "==", "===", "!="):
                return SpecifierSet(f"{'!=' if sign == '!=' else '=='}{match[1]}.*")
            version = match[1]
        if sign in ("^", "~"):
            release = Version(version).release
            return SpecifierSet(f">={version},<{_caret(release) if sign == '^' else _tilde(release)}")
        return SpecifierSet(f"{sign if sign not in ('', '=') else '=='}{version}")
    except (InvalidSpecifier, InvalidVersion) as error:
        raise ValueError(str(error)) from None


def _caret(release: tuple[int, ...]) -> str:
    """The first version that changes the leftmost number that is not 0, or the last one given."""
    at = next((place for place, number in enumerate(release) if number), len(release) - 1)
    return ".".join(map(str, (*release[:at], release[at] + 1)))


def _tilde(release: tuple[int, ...]) -> str:
    kept = release[:2]
    return ".".join(map(str, (*kept[:-1], kept[-1] + 1)))

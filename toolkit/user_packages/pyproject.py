"""`pyproject.toml`: a project's dependencies (PEP 621), with the selected extras and dependency groups (PEP 735).

`[tool.toolkit]` selects them: `extras = ["plots"]`, `groups = ["train"]`. Those that are not selected are reported.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.dependency_groups import resolve_dependency_groups
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from toolkit.errors import Place
from toolkit.user_packages.frameworks import answers
from toolkit.user_packages.model import NOTHING, Asked, ImageFacts, place_at
from toolkit.user_packages.poetry import POETRY, groups_of, not_selected, read_poetry
from toolkit.user_packages.requirement import from_elsewhere, holds, needs_python, problem, read_requirement, together
from toolkit.user_packages.shapes import Shape, misshapen
from toolkit.user_packages.text import items, line_at, line_of, read_toml, table

FILE = "pyproject.toml"
_NO_SOURCES = {"marker", "extra", "group"}
_IGNORED_OF_UV = ("constraint-dependencies", "override-dependencies", "index", "find-links", "no-index", "index-url")
_DIALECTS = {
    "[tool.flit.metadata]": ("flit", "metadata", "requires"),
    "[tool.pdm.dev-dependencies]": ("pdm", "dev-dependencies"),
    "[tool.hatch.envs]": ("hatch", "envs"),
    "[tool.pixi.dependencies]": ("pixi", "dependencies"),
    "[tool.pixi.pypi-dependencies]": ("pixi", "pypi-dependencies"),
}
_SHAPES: dict[str, Shape] = {
    **dict.fromkeys(("project", "dependency-groups", "tool", "tool.toolkit", "tool.uv", "tool.uv.sources"), "table"),
    **dict.fromkeys(("tool.poetry", "tool.poetry.dependencies", "tool.poetry.group"), "table"),
    **dict.fromkeys(("project.dependencies", "project.dynamic", "tool.toolkit.extras", "tool.toolkit.groups"), "texts"),
    **dict.fromkeys(("project.optional-dependencies", "tool.poetry.extras"), "tables of strings"),
}
_OURS = {"extras", "groups"}
_NOT_OURS = "unknown; only `extras` and `groups` are valid here"


def asks(file: Path, code: Path) -> bool:
    """Whether it has dependencies that are read."""
    values, _ = read_toml(file, code)
    project, tool = table(values.get("project")), table(values.get("tool"))
    ours, poetry = table(tool.get("toolkit")), table(table(tool.get(POETRY)).get("dependencies"))
    if any(misshapen(values, _SHAPES)):
        return True  # reading it reports the error
    return bool(project.get("dependencies") or set(poetry) - {"python"} or ours.get("extras") or ours.get("groups"))


def mentions(file: Path, code: Path) -> bool:
    """Whether it has any dependency, in any form that is read or reported."""
    values, _ = read_toml(file, code)
    project, tool = table(values.get("project")), table(values.get("tool"))
    if any(misshapen(values, _SHAPES)):
        return True
    named = any(project.get(key) for key in ("dependencies", "optional-dependencies", "dynamic"))
    return bool(named or values.get("dependency-groups") or tool.get(POETRY) or _others(tool))


def read_project(file: Path, code: Path, image: ImageFacts, extras: tuple[str, ...] = ()) -> Asked:
    """The requirements of the project, with its `extras`; raises `ToolkitError` (C102) if it is not TOML."""
    values, text = read_toml(file, code)
    project, tool = table(values.get("project")), table(values.get("tool"))
    ours, poetry = table(tool.get("toolkit")), table(tool.get(POETRY))
    extras = (*extras, *map(str, items(ours.get("extras"))))
    groups = tuple(map(str, items(ours.get("groups"))))
    reading = _Reading(file, text, image)
    if wrong := [*misshapen(values, _SHAPES), *((f"tool.toolkit.{name}", _NOT_OURS) for name in set(ours) - _OURS)]:
        return together([problem(f"{name}: {what}", reading.place(name.rpartition(".")[2])) for name, what in wrong])
    parts = [
        reading.unknown("extra", extras, (project.get("optional-dependencies"), poetry.get("extras"))),
        reading.unknown("group", groups, (values.get("dependency-groups"), groups_of(poetry))),
        reading.python(project.get("requires-python")),
        reading.lines(items(project.get("dependencies"))),
        reading.groups(values.get("dependency-groups"), groups),
        Asked(
            notes=(*_dynamic(file, project, tool), *(f"{file.name}: {title} is not read" for title in _others(tool)))
        ),
    ]
    if POETRY in tool:
        has_project = bool(project.get("dependencies"))
        parts.append(read_poetry(file, text, poetry, image, extras, groups, has_project=has_project))
    found = reading.extras(project, together(parts), extras)
    return found + reading.sources(table(tool.get("uv")), found)


def read_itself(folder: Path, extras: tuple[str, ...], image: ImageFacts) -> Asked:
    """What `-e .[extras]` requires: the dependencies of the project in the code folder, which is on PYTHONPATH."""
    file, found = folder / FILE, NOTHING
    if file.is_file():
        found = read_project(file, folder, image, extras) + Asked(files=(file,))
    elif extras:
        return problem(f"no {FILE} with the extras {', '.join(extras)}", Place(str(folder)))
    note = "`.` is not installed, because the code folder is on PYTHONPATH; its pyproject.toml is read"
    return found + Asked(notes=(note,))


class _Reading:
    """The parts of one project file; each method returns that part's requirements."""

    def __init__(self, file: Path, text: str, image: ImageFacts) -> None:
        self._file, self._text, self._image = file, text, image

    def place(self, *needles: str) -> Place:
        return place_at(self._file, line_of(self._text, *needles))

    def python(self, wanted: Any) -> Asked:
        if not isinstance(wanted, str):
            return Asked()
        try:
            fits = SpecifierSet(wanted).contains(self._image.full_python, prereleases=True)
        except InvalidSpecifier:
            return problem(f"requires-python = {wanted!r} is not a version", self.place("requires-python"))
        return needs_python(self._file, wanted, self._image, fits=fits)

    def lines(self, lines: list[Any]) -> Asked:
        return together([self._line(str(line)) for line in lines])

    def _line(self, line: str) -> Asked:
        place = self.place(line)
        return read_requirement(line, place, self._image, source_line=line_at(self._text, place.line))

    def unknown(self, kind: str, asked: tuple[str, ...], tables: tuple[Any, ...]) -> Asked:
        """The selected names that are not in any of the `tables`."""
        known = {canonicalize_name(name) for one in tables for name in table(one)}
        strange = [name for name in asked if canonicalize_name(name) not in known]
        has = f"it has {', '.join(sorted(known))}" if known else "it has none"
        return together([problem(f"no {kind} `{name}`: {has}", self.place(name)) for name in strange])

    def extras(self, project: dict[str, Any], asked: Asked, wanted: tuple[str, ...]) -> Asked:
        """`asked` with the extras that are `wanted`, or that the project requires of itself (`leaf[plots]`); the
        others by name."""
        there = {canonicalize_name(name): lines for name, lines in table(project.get("optional-dependencies")).items()}
        name, done = canonicalize_name(str(project.get("name", ""))), set[str]()
        asked, own = _without(asked, name)
        todo = [*wanted, *own]
        while todo:
            extra = canonicalize_name(todo.pop(0))
            if extra not in done:
                done.add(extra)
                more, own = _without(self.lines(items(there.get(extra))), name)
                asked, todo = asked + more, [*todo, *own]
        return asked + not_selected(self._file, "extras", set(there) - done)

    def groups(self, there: Any, wanted: tuple[str, ...]) -> Asked:
        known = {canonicalize_name(name) for name in table(there)}
        asked = [canonicalize_name(name) for name in wanted if canonicalize_name(name) in known]
        unread = not_selected(self._file, "groups", known - set(asked))
        if not asked:
            return unread
        try:
            lines = resolve_dependency_groups(table(there), *asked)
        except (ValueError, LookupError, TypeError, ExceptionGroup) as error:
            return problem(f"[dependency-groups]: {_innermost(error)}", self.place("dependency-groups"))
        return together([self.lines(list(lines)), unread])

    def sources(self, uv: dict[str, Any], asked: Asked) -> Asked:
        """uv's own tables, which take a package that is in `asked` from a source other than this machine's index."""
        needed = {one.name for one in asked.wanted if not answers(one.name, self._image.holds)}
        parts = []
        for name, source in table(uv.get("sources")).items():
            entries = [table(one) for one in (source if isinstance(source, list) else [source])]
            kinds = {kind for one in entries if self._counts(one) for kind in one} - _NO_SOURCES
            if kinds and canonicalize_name(name) in needed:
                kind = min(kinds)
                parts.append(problem(f"[tool.uv.sources]: {from_elsewhere(name, kind)}", self.place(name, kind)))
        if ignored := [key for key in _IGNORED_OF_UV if uv.get(key)]:
            parts.append(Asked(notes=(f"{self._file.name}: [tool.uv] {', '.join(ignored)}: not read",)))
        return together(parts)

    def _counts(self, source: dict[str, Any]) -> bool:
        try:
            return "marker" not in source or holds(str(source["marker"]), self._image)
        except ValueError:  # no marker, or one that cannot be evaluated
            return True


def _without(asked: Asked, name: str) -> tuple[Asked, list[str]]:
    """`asked` without the project `name` itself, and the extras that it requires of it."""
    own = [one for one in asked.wanted if one.name == name]
    rest = tuple(one for one in asked.wanted if one.name != name)
    return replace(asked, wanted=rest), sorted({extra for one in own for extra in one.requirement.extras})


def _innermost(error: Exception) -> Exception:
    """packaging raises nested groups of exceptions; the first one has the message."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _dynamic(file: Path, project: dict[str, Any], tool: dict[str, Any]) -> list[str]:
    if "dependencies" not in items(project.get("dynamic")):
        return []
    dynamic = table(table(table(tool.get("setuptools")).get("dynamic")).get("dependencies"))
    files = dynamic.get("file", [])
    names = [files] if isinstance(files, str) else [str(name) for name in items(files)]
    way = f"put `-r {names[0]}` into a requirements.txt" if names else "list them in a requirements.txt"
    return [f"{file.name}: its dependencies are dynamic and were not read: {way}"]


def _others(tool: dict[str, Any]) -> list[str]:
    """The tables of other tools that list dependencies."""
    found = []
    for title, keys in _DIALECTS.items():
        value: Any = tool
        for key in keys:
            value = table(value).get(key)
        if value:
            found.append(title)
    return found

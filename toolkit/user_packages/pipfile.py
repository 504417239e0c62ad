"""Pipenv's `Pipfile`: its `[packages]`; `[dev-packages]` are reported."""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import Place
from toolkit.user_packages.model import Asked, ImageFacts
from toolkit.user_packages.poetry import of_table
from toolkit.user_packages.requirement import problem, together
from toolkit.user_packages.requirements_txt import Project
from toolkit.user_packages.shapes import Shape, misshapen
from toolkit.user_packages.text import items, line_at, line_of_entry, read_toml, table

FILE = "Pipfile"
_OF_MARKERS = ("os_name", "sys_platform", "platform_machine", "platform_system", "python_version")
_SHAPES: dict[str, Shape] = dict.fromkeys(("packages", "dev-packages", "requires"), "table")
_PYPI = "https://pypi.org/simple"


def read_pipfile(file: Path, code: Path, image: ImageFacts, project: Project) -> Asked:
    """The requirements of the Pipfile, and those that `project` returns if it names the code folder.

    Raises `ToolkitError` (C102) if it is not TOML.
    """
    values, text = read_toml(file, code)
    parts = [problem(f"{name}: {what}", Place(str(file))) for name, what in misshapen(values, _SHAPES)]
    for name, value in table(values.get("packages")).items():
        line = line_of_entry(text, name)
        place = Place(str(file), line, 1 if line else 0)
        if (extras := _itself(value)) is not None:
            parts.append(project(file.parent, extras))
            continue
        parts.append(of_table(name, _in_poetrys_words(value), place, image, line_at(text, line)))
    notes = []
    if dev := table(values.get("dev-packages")):
        notes.append(f"{file.name}: [dev-packages] are not read: {', '.join(dev)}")
    requires = table(values.get("requires"))
    python = str(requires.get("python_full_version") or requires.get("python_version") or image.python)
    if python not in (image.python, image.full_python):
        notes.append(f"{file.name} requires Python {python}; the image has {image.full_python}")
    if any(str(table(one).get("url", "")).rstrip("/") != _PYPI for one in items(values.get("source"))):
        notes.append(f"{file.name}: [[source]] is ignored: wheels come from this machine's index")
    return together([*parts, Asked(notes=tuple(notes))])


def _itself(value: object) -> tuple[str, ...] | None:
    """The extras of `{path = ".", editable = true}`, the code folder; None for anything else."""
    if not isinstance(value, dict) or not isinstance(value.get("path"), str) or Path(value["path"]) != Path():
        return None
    return tuple(map(str, items(value.get("extras"))))


def _in_poetrys_words(value: object) -> object:
    """An entry in Poetry's form: markers written as separate keys become one, another index becomes a source."""
    if not isinstance(value, dict):
        return value
    markers = [str(value["markers"])] if value.get("markers") else []
    markers += [f"{name} {value[name]}" for name in _OF_MARKERS if value.get(name)]
    joined = " and ".join(f"({one})" for one in markers)
    return {**value, "markers": joined, "source": value.get("index") if value.get("index") != "pypi" else None}

"""Pipenv's `Pipfile`: its `[packages]`; `[dev-packages]` are reported."""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import Place
from toolkit.user_packages.model import Asked, ImageFacts, place_at
from toolkit.user_packages.poetry import of_table
from toolkit.user_packages.pyproject import read_itself
from toolkit.user_packages.requirement import needs_python, problem, together
from toolkit.user_packages.shapes import Shape, misshapen
from toolkit.user_packages.text import items, line_at, line_of_entry, read_toml, table

_OF_MARKERS = ("os_name", "sys_platform", "platform_machine", "platform_system", "python_version")
_SHAPES: dict[str, Shape] = dict.fromkeys(("packages", "dev-packages", "requires"), "table")
_PYPI = "https://pypi.org/simple"


def read_pipfile(file: Path, code: Path, image: ImageFacts) -> Asked:
    """The requirements of the Pipfile, and those of the project if it names the code folder.

    Raises `ToolkitError` (C102) if it is not TOML.
    """
    values, text = read_toml(file, code)
    parts = [problem(f"{name}: {what}", Place(str(file))) for name, what in misshapen(values, _SHAPES)]
    for name, value in table(values.get("packages")).items():
        line = line_of_entry(text, name)
        place = place_at(file, line)
        if (extras := _itself(value)) is not None:
            parts.append(read_itself(file.parent, extras, image))
            continue
        parts.append(of_table(name, _in_poetrys_words(value), place, image, line_at(text, line)))
    if dev := table(values.get("dev-packages")):
        parts.append(Asked(notes=(f"{file.name}: [dev-packages] are not read: {', '.join(dev)}",)))
    requires = table(values.get("requires"))
    python = str(requires.get("python_full_version") or requires.get("python_version") or image.python)
    parts.append(needs_python(file, python, image, fits=python in (image.python, image.full_python)))
    if any(str(table(one).get("url", "")).rstrip("/") != _PYPI for one in items(values.get("source"))):
        parts.append(Asked(notes=(f"{file.name}: [[source]] is ignored: wheels come from this machine's index",)))
    return together(parts)


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

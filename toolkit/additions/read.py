"""What a person's code needs besides the framework, read from the files that people already have.

`requirements.txt` beside the code, or else the dependencies of its `pyproject.toml`; Debian packages from the manifest.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from toolkit.catalogue.model import Additions
from toolkit.errors import Code, Place, Problem, ToolkitError

REQUIREMENTS, PROJECT = "requirements.txt", "pyproject.toml"
LOCKS = {"cpu": "toolkit.lock", "cuda": "toolkit-cuda.lock"}
"""Beside the code, by flavour: what is locked stands on the versions of one flavour of the framework."""


def read_additions(code: Path, packages: tuple[str, ...], flavour: str = "cpu") -> Additions | None:
    """The additions of the code in the folder `code` with the manifest's `packages`; None where there are none.

    Raises `ToolkitError` (C102) with file and line of a requirement that cannot be locked.
    """
    requirements = _requirements(code)
    if not requirements and not packages:
        return None
    return Additions(requirements, tuple(sorted(packages)), code / LOCKS[flavour])


def _requirements(code: Path) -> tuple[str, ...]:
    if (code / REQUIREMENTS).is_file():
        return _from_lines(code / REQUIREMENTS)
    if (code / PROJECT).is_file():
        return _from_project(code / PROJECT)
    return ()


def _from_lines(file: Path) -> tuple[str, ...]:
    found, problems = [], []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        text = line.partition(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        problem = _problem(text)
        if problem:
            problems.append(Problem(problem, Place(str(file), number, 1), source_line=line))
        found.append(text)
    return _checked(file, found, problems)


def _from_project(file: Path) -> tuple[str, ...]:
    try:
        project = tomllib.loads(file.read_text("utf-8")).get("project", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ToolkitError(Code.CODE, f"{file} is not valid TOML: {error}") from None
    found = [str(line) for line in project.get("dependencies", [])]
    problems = [Problem(f"{line}: {problem}", Place(str(file), 1, 1)) for line in found if (problem := _problem(line))]
    return _checked(file, found, problems)


def _checked(file: Path, found: list[str], problems: list[Problem]) -> tuple[str, ...]:
    if problems:
        raise ToolkitError(Code.CODE, f"{file} asks for what cannot be locked", tuple(problems))
    return tuple(found)


def _problem(text: str) -> str:
    """Why a requirement cannot be locked, or nothing."""
    if text.startswith("-"):
        return "options of pip are not read here: name packages and versions alone"
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        return f"no requirement: {str(error).splitlines()[0]}"
    return "a URL cannot be locked by version: name a package of the index" if requirement.url else ""

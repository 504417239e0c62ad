"""Which file of a code folder lists its requirements: the first of `FORMATS` that exists. The others are reported.

A new format is a file in this package and an entry here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from toolkit.errors import Code, ToolkitError
from toolkit.plural import listed
from toolkit.user_packages.model import Asked, ImageFacts

_OTHERS = re.compile(
    r"(.*[-_.])?(requirements?|reqs?|constraints?)([-_.].*)?\.(txt|in|pip)|requirements?|pixi\.(toml|lock)"
    r"|conda-lock\.yml|pylock\..+\.toml",
    re.IGNORECASE,
)
_ENVIRONMENT = re.compile(r"(.*[-_.])?(conda|env|environment)([-_.].*)?\.ya?ml", re.IGNORECASE)
_FOLDER = re.compile(r"requirements?", re.IGNORECASE)
_IN_PROGRAMS = re.compile(rb"install_requires|^# /// script\s*$", re.MULTILINE)
"""setuptools' keyword, and the dependencies in a script's comments (PEP 723)."""
_IN_ENVIRONMENTS = re.compile(rb"^dependencies\s*:", re.MULTILINE)
_LARGEST_LOOKED_AT = 1 << 20
_MOST_NAMED = 12


@dataclass(frozen=True)
class Format:
    """One way to list requirements: the files' names, how one is read, and the locks that may be next to it.

    A file is selected only if it `asks` for something that is read, and reported if it `mentions` any dependency; any
    file does where no function is given. Functions are `module:name` of this package, and are loaded for a file that
    exists: few code folders have more than one.
    """

    names: tuple[str, ...]
    read: str
    asks: str = ""
    mentions: str = ""
    locks: tuple[str, ...] = ()


FORMATS = (
    Format(("requirements.txt",), "requirements_txt:read_requirements"),
    Format(("requirements.in",), "requirements_txt:read_requirements"),
    Format(
        ("pyproject.toml",),
        "pyproject:read_project",
        "pyproject:asks",
        "pyproject:mentions",
        ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml"),
    ),
    Format(("Pipfile",), "pipfile:read_pipfile", locks=("Pipfile.lock",)),
    Format(
        ("environment.yml", "environment.yaml", "conda.yml", "conda.yaml"),
        "conda:read_conda",
        "conda:asks",
        "conda:asks",
    ),
)


def read_asked(code: Path, image: ImageFacts) -> Asked:
    """The requirements of the code in the folder `code`, with notes on files that are not read.

    Raises `ToolkitError` (C102) if the selected file or the folder cannot be read at all.
    """
    try:
        return _read_asked(code, image)
    except OSError as error:
        raise ToolkitError(Code.CODE, f"{error.filename}: {error.strerror}") from None


def _read_asked(code: Path, image: ImageFacts) -> Asked:
    there = [(form, code / name) for form in FORMATS for name in form.names if _is_there(code / name)]
    mentioning = [(form, file) for form, file in there if _does(form.mentions, file, code)]
    silent = tuple(file for one, file in there if (one, file) not in mentioning)
    if not mentioning:
        return Asked(notes=_left(code, silent, ()))
    form, file = next((one for one in mentioning if _does(one[0].asks, one[1], code)), mentioning[0])
    lock = next((code / name for name in form.locks if _is_there(code / name)), None)
    asked: Asked = _loaded(form.read)(file, code, image)
    if lock:
        asked += _loaded("pins:read_pins")(lock, code, image)
    read = (file, *([lock] if lock else ()))
    return asked + Asked(notes=_left(code, (*read, *asked.files, *silent), read))


def _loaded(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"toolkit.user_packages.{module}"), name)


def _does(look: str, file: Path, code: Path) -> bool:
    """A file that cannot be read may have requirements; if it is selected, reading it reports the error."""
    try:
        return not look or bool(_loaded(look)(file, code))
    except ToolkitError:
        return True


def _is_there(file: Path) -> bool:
    """A broken link, a folder or a pipe also exists: reading it reports that."""
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _left(code: Path, apart: tuple[Path, ...], read: tuple[Path, ...]) -> tuple[str, ...]:
    """One line with the files that name dependencies and are not read, except `apart`."""
    files = [code / name for form in FORMATS for name in (*form.names, *form.locks) if _is_there(code / name)]
    files += sorted(_others(code))
    known = {os.path.normpath(file) for file in apart}
    names = [str(file.relative_to(code)) for file in dict.fromkeys(files) if os.path.normpath(file) not in known]
    if not names:
        return ()
    some = listed(names, _MOST_NAMED)
    if not read:
        return (f"{some}: not read; list what is needed in a requirements.txt (`-r FILE` includes another)",)
    return (f"{' with '.join(file.name for file in read)} is read; not read: {some}",)


def _others(code: Path) -> Iterator[Path]:
    """Files that list dependencies, by their name or in their content, here and in a folder `requirements`."""
    for file in code.iterdir() if code.is_dir() else ():
        if _FOLDER.fullmatch(file.name) and file.is_dir():
            yield from (one for one in file.iterdir() if one.suffix in (".txt", ".in") and one.is_file())
        elif file.is_file() and (_OTHERS.fullmatch(file.name) or _names_packages(file)):
            yield file


def _names_packages(file: Path) -> bool:
    if _ENVIRONMENT.fullmatch(file.name):
        words = _IN_ENVIRONMENTS
    elif file.suffix == ".py" or file.name == "setup.cfg":
        words = _IN_PROGRAMS
    else:
        return False
    try:
        with file.open("rb") as stream:
            return bool(words.search(stream.read(_LARGEST_LOOKED_AT)))
    except OSError:
        return False

"""Which file of a code's folder says what it needs: the first of `FORMATS` that is there. The others are told.

A format more is a file of this package and a row here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from toolkit.additions import conda, pins, pipfile, pyproject
from toolkit.additions.model import NOTHING, Asked, ImageFacts
from toolkit.additions.requirement import problem
from toolkit.additions.requirements_txt import read_requirements
from toolkit.errors import Place, ToolkitError

_OF_A_PROJECT = re.compile(rb"install_requires")
_LARGEST_LOOKED_AT = 1 << 20
_PROGRAMS = ("setup.py", "setup.cfg")
_OTHERS = (
    *("requirements*.txt", "requirements*.in", "*-requirements.txt", "*_requirements.txt", "requirements/*.txt"),
    *("requirements/*.in", "constraints*.txt", "pixi.toml", "pixi.lock", "conda-lock.yml"),
)


@dataclass(frozen=True)
class Format:
    """One way to say what code needs: the files' names, whether one asks for anything, how it is read, its locks."""

    names: tuple[str, ...]
    read: Callable[[Path, Path, ImageFacts], Asked]
    asks: Callable[[Path, Path], bool] = lambda _file, _code: True
    locks: tuple[str, ...] = ()


def _requirements(file: Path, code: Path, image: ImageFacts) -> Asked:
    return read_requirements(file, code, image, partial(_itself, image=image))


def _conda(file: Path, code: Path, image: ImageFacts) -> Asked:
    return conda.read_conda(file, code, image, partial(_itself, image=image))


FORMATS = (
    Format(("requirements.txt",), _requirements),
    Format(("requirements.in",), _requirements),
    Format((pyproject.FILE,), pyproject.read_project, pyproject.asks, pins.OF_A_PROJECT),
    Format((pipfile.FILE,), pipfile.read_pipfile, locks=pins.OF_A_PIPFILE),
    Format(conda.FILES, _conda, conda.asks),
)


def read_asked(code: Path, image: ImageFacts) -> Asked:
    """What the code in the folder `code` asks for, and what files there are not read, in words.

    Raises `ToolkitError` (C102) where the file that counts cannot be read at all.
    """
    there = [(form, code / name) for form in FORMATS for name in form.names if _is_there(code / name)]
    asking = [(form, file) for form, file in there if _asks(form, file, code)]
    silent = tuple(file for one, file in there if (one, file) not in asking)
    if not asking:
        return Asked(notes=_left(code, silent, ()))
    form, file = asking[0]
    lock = next((code / name for name in form.locks if _is_there(code / name)), None)
    asked = form.read(file, code, image)
    if lock:
        asked += pins.read_pins(lock, code, image)
    read = (file, *([lock] if lock else ()))
    return asked + Asked(notes=_left(code, (*read, *asked.files, *silent), read))


def _itself(folder: Path, extras: tuple[str, ...], *, image: ImageFacts) -> Asked:
    """What `-e .[extras]` asks for: the project's dependencies. The folder itself is on PYTHONPATH."""
    file = folder / pyproject.FILE
    if file.is_file():
        found = pyproject.read_project(file, folder, image, extras) + Asked(files=(file,))
    elif extras:
        return problem(f"there is no {pyproject.FILE} that has the extras {', '.join(extras)}", Place(str(folder)))
    else:
        found = NOTHING
    told = "`.` is not installed: the code's folder is on PYTHONPATH; its pyproject.toml's dependencies are"
    return found + Asked(notes=(told,))


def _asks(form: Format, file: Path, code: Path) -> bool:
    """A file that cannot be read may ask for something; where it counts, reading it says what is wrong."""
    try:
        return form.asks(file, code)
    except ToolkitError:
        return True


def _is_there(file: Path) -> bool:
    """A broken link is there, too: reading it says so."""
    return file.is_file() or file.is_symlink()


def _left(code: Path, apart: tuple[Path, ...], read: tuple[Path, ...]) -> tuple[str, ...]:
    """The files that name dependencies and are not read, but for those `apart`, in a line."""
    files = [code / name for form in FORMATS for name in (*form.names, *form.locks) if _is_there(code / name)]
    files += sorted(file for pattern in _OTHERS for file in code.glob(pattern) if file.is_file())
    files += [code / name for name in _PROGRAMS if _names_packages(code / name)]
    known = {os.path.normpath(file) for file in apart}
    names = [str(file.relative_to(code)) for file in dict.fromkeys(files) if os.path.normpath(file) not in known]
    if not names:
        return ()
    if not read:
        return (f"{', '.join(names)}: not read; name what is needed in a requirements.txt (`-r FILE` reads another)",)
    return (f"{' with '.join(file.name for file in read)} is read; not read: {', '.join(names)}",)


def _names_packages(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return bool(_OF_A_PROJECT.search(stream.read(_LARGEST_LOOKED_AT)))

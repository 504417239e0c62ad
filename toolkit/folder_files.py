"""The files of a folder that is sent elsewhere, as code or as data: each is included, or listed with the reason.

Nothing is silently dropped, and nothing outside the folder is read: a link that leads out is a problem even if
it leads to a file. Opening a pipe or a device could block forever, so only regular files are included.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.errors import Problem
from toolkit.yaml.source import printable

Skip = Callable[[str, bool], bool]
"""Takes a path below the folder and whether it is a folder; true if it is left out."""


@dataclass(frozen=True)
class FolderFile:
    """A regular file: its path below the folder with `/`, its full path, and its status from the file system.

    `private` if only its owner may read it, or the content of one of its parent folders below the top.
    """

    name: str
    path: Path
    status: os.stat_result
    private: bool = False


Found = FolderFile | Problem
_LONGEST_SHOWN = 900
"""Characters of a folder's name in a message: only a name that is too long for the system has more."""


def all_of(_name: str, _is_folder: bool) -> bool:
    """Nothing is left out."""
    return False


def files_of(folder: Path, skip: Skip = all_of) -> Iterator[Found]:
    """Every file below `folder` that `skip` does not leave out, in the order of their names' bytes.

    A link within the folder is read as its target; if `skip` leaves that out, the link is left out, too.
    """
    top = os.path.realpath(folder)
    opened: _Open | Problem | None = _open(folder, "", private=False)
    stack: list[_Open] = []  # not recursive: folders may be nested deeper than calls can be
    while True:
        if isinstance(opened, Problem):
            yield opened
        elif opened:
            stack.append(opened)
        if not stack:
            return
        opened, inside = None, stack[-1]
        entry = next(inside.entries, None)
        if entry is None:
            stack.pop()
            continue
        name, path = f"{inside.below}{entry.name}", Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if not skip(name, True):
                opened = _open(path, f"{name}/", private=inside.private)
        elif not skip(name, False):
            found = _linked(name, path, top, skip) if entry.is_symlink() else _file(name, path)
            if found:
                yield replace(found, private=True) if inside.private and isinstance(found, FolderFile) else found


def shown(name: str) -> str:
    """A file's name for people: bytes that are not UTF-8, and what a terminal interprets, as `\\xe9` and the like."""
    return printable(os.fsencode(name).decode("utf-8", "backslashreplace"))


@dataclass(frozen=True)
class _Open:
    """A folder being walked: its name with a `/`, its remaining entries, whether only its owner may enter."""

    below: str
    entries: Iterator[os.DirEntry[str]]
    private: bool


def _open(folder: Path, below: str, *, private: bool) -> _Open | Problem:
    """`private`: one of the folders above is."""
    try:
        private = private or (bool(below) and _is_private(folder.stat()))
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        name = shown(below or str(folder))
        name = name if len(name) <= _LONGEST_SHOWN else f"{name[:60]}…"
        return Problem(f"{name}: {error.strerror}")
    return _Open(below, iter(found), private)


def _linked(name: str, path: Path, top: str, skip: Skip) -> Found | None:
    """The target of a link; None if that is left out."""
    try:
        target = os.path.realpath(path, strict=True)
    except OSError:
        return Problem(f"{shown(name)}: a link that leads to nothing")
    if os.path.commonpath([top, target]) != top:
        return Problem(f"{shown(name)}: a link that leads out of the folder")
    if Path(target).is_dir():
        return Problem(f"{shown(name)}: a link to a folder, which is not followed")
    parts = Path(target).relative_to(top).parts
    above = ["/".join(parts[:length]) for length in range(1, len(parts))]
    if any(skip(one, True) for one in above) or skip("/".join(parts), False):
        return None
    return _file(name, path)


def _file(name: str, path: Path) -> Found:
    try:
        os.fsencode(name).decode("utf-8")
        status = path.stat()
    except UnicodeDecodeError:
        return Problem(f"{shown(name)}: its name is not UTF-8, as a bucket's must be")
    except OSError as error:
        return Problem(f"{shown(name)}: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return Problem(f"{shown(name)}: neither a file nor a folder")
    return FolderFile(name, path, status, _is_private(status))


def _is_private(status: os.stat_result) -> bool:
    return not status.st_mode & 0o077

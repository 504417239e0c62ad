"""Reads files that a training program could have replaced; standard library only.

The program shares folders with the tool, so a name in them may be anything by now: a link to the tool's own keys, a
pipe that blocks its reader forever, a device, an endless file.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MAX_HOLE = 1 << 30
"""Maximum number of unwritten bytes in a log file. The supervisor writes logs sequentially, without holes."""
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotRegular(OSError):
    """Not a regular file, or larger than permitted."""


class Replacements:
    """What was found in place of the run's own files, described briefly."""

    MOST = 20

    def __init__(self) -> None:
        self._what: dict[str, None] = {}

    @property
    def what(self) -> tuple[str, ...]:
        """Without duplicates, at most `MOST`."""
        return tuple(itertools.islice(self._what, self.MOST))

    def add(self, what: str) -> None:
        """Note one."""
        if len(self._what) <= self.MOST:
            self._what[what[:300]] = None

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Leave the context if a file is not what it must be, which is noted, or does not exist, which is no error."""
        try:
            yield
        except NotRegular as error:
            self.add(str(error))
        except OSError:
            pass


@contextmanager
def opened(folder: Path, name: str) -> Iterator[int]:
    """A descriptor of the regular file `name` below `folder`, for reading.

    No component of the path from `folder` on may be a link, and the call never blocks.

    Args:
        name: relative, without `.` or `..`.
    Raises:
        FileNotFoundError: it does not exist.
        NotRegular: it is a link, FIFO, device or directory, or one is in its path; or it has a hole of `MAX_HOLE`.
        OSError: it cannot be opened.
    """
    *way, last = name.split("/")
    if last in ("", ".", ".."):
        raise NotRegular(f"{name!r} is not the name of a file")
    with opened_folder(folder, "/".join(way)) as above:
        file = _open(last, _FLAGS, above, name)
    try:
        check_regular(name, os.fstat(file))
        yield file
    finally:
        os.close(file)


@contextmanager
def opened_folder(folder: Path, name: str = "") -> Iterator[int]:
    """A descriptor of the directory `name` below `folder`, or of `folder` itself; raises as `opened` does."""
    parts = name.split("/") if name else []
    if any(part in ("", ".", "..") for part in parts):
        raise NotRegular(f"{name!r} is not the name of a directory")
    at = os.open(folder, _FLAGS | os.O_DIRECTORY)
    try:
        for part in parts:
            below = _open(part, _FLAGS | os.O_DIRECTORY, at, name)
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)


def names_in(folder: int, pattern: re.Pattern[str], most: int) -> list[str]:
    """At most `most` names in an open directory that match `pattern` as a whole."""
    with os.scandir(folder) as entries:
        return list(itertools.islice((entry.name for entry in entries if pattern.fullmatch(entry.name)), most))


def check_regular(name: str, about: os.stat_result) -> None:
    """Raise `NotRegular` if `about` is not a regular file's, or that of one with a hole of `MAX_HOLE`."""
    if not stat.S_ISREG(about.st_mode):
        raise NotRegular(f"{name} is {kind_of(about.st_mode)}")
    if (missing := hole(about)) > MAX_HOLE:
        raise NotRegular(f"{name} is sparse ({about.st_size:,} bytes, {about.st_size - missing:,} of them written)")


def hole(about: os.stat_result) -> int:
    """The bytes of a file that take no space on disk."""
    return max(0, about.st_size - about.st_blocks * 512)


def kind_of(mode: int) -> str:
    """The kind of a file that is not a regular one."""
    return next((kind for test, kind in _KINDS if test(mode)), "a regular file")


def read_regular(folder: Path, name: str, most: int) -> bytes:
    """The content of a file below `folder`, of at most `most` bytes. Raises as `opened` does."""
    with opened(folder, name) as file:
        content = _some(file, most + 1)  # it may grow meanwhile
    if len(content) > most:
        raise NotRegular(f"{name} is larger than {most} bytes")
    return content


def read_tail(folder: Path, name: str, most: int) -> tuple[bytes, bool]:
    """The last `most` bytes of a file, and whether there are others before them. Raises as `opened` does."""
    with opened(folder, name) as file:
        start = max(0, os.fstat(file).st_size - most)
        os.lseek(file, start, os.SEEK_SET)
        return _some(file, most), start > 0


def read_object(folder: Path, name: str, most: int) -> dict[str, Any]:
    """The JSON object in a file; empty if it does not exist or holds none. Raises `NotRegular` as `opened` does."""
    try:
        found = json.loads(read_regular(folder, name, most))
    except NotRegular:
        raise
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _open(part: str, flags: int, above: int, name: str) -> int:
    try:
        return os.open(part, flags, dir_fd=above)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NotRegular(f"{name} {_why(part, name, above) or f'cannot be opened: {error.strerror}'}") from None


def _why(part: str, name: str, above: int) -> str:
    """What `part` is, if that is why it could not be opened."""
    try:
        mode = os.stat(part, dir_fd=above, follow_symlinks=False).st_mode
    except OSError:
        return ""
    if stat.S_ISREG(mode) and name.endswith(part):
        return ""
    return f"is {kind_of(mode)}" if name.endswith(part) else f"cannot be reached: {part} is {kind_of(mode)}"


def _some(file: int, most: int) -> bytes:
    parts, left = [], most
    while left > 0 and (part := os.read(file, min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)

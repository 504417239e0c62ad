"""Reading files that a training program could have put there: standard library alone.

The program shares folders with the tool, so a name in them may be anything by now: a link to the tool's own keys, a
pipe on which a reader waits for ever, a device, a file without end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


class NotRegular(OSError):
    """A name that is no regular file of its own, or a file that is larger than it may be."""


def read_regular(folder: Path, name: str, most: int) -> bytes:
    """The content of a file that lies in `folder` itself.

    Neither the file nor the folder may be a link; nothing is waited for.

    Args:
        name: the file's, without a folder.
        most: bytes that it may have.
    Raises:
        FileNotFoundError: it is not there.
        NotRegular: a link, pipe, device or folder is in its place, or it is too large.
        OSError: it cannot be read.
    """
    if name in ("", ".", "..") or "/" in name:
        raise NotRegular(f"{name!r} is no file's name")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    above = os.open(folder, flags | os.O_DIRECTORY)
    try:
        file = os.open(name, flags, dir_fd=above)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise NotRegular(f"{folder / name} cannot be opened as a regular file: {error.strerror}") from None
    finally:
        os.close(above)
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            raise NotRegular(f"{folder / name} is no regular file")
        return _read(file, folder / name, most)
    finally:
        os.close(file)


def _read(file: int, path: Path, most: int) -> bytes:
    parts, left = [], most + 1  # it may grow meanwhile
    while left > 0 and (part := os.read(file, min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    if left <= 0:
        raise NotRegular(f"{path} is larger than {most} bytes")
    return b"".join(parts)

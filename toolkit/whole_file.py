"""Files that are whole or not there, and what is in them as a checksum."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

_PIECE = 1 << 30


def write_whole(file: Path, content: bytes, mode: int = 0o644) -> None:
    """Write `content` to `file` in one move: a reader never sees half of it, and an error leaves what was there."""
    handle, name = tempfile.mkstemp(prefix=".new-", dir=file.parent)
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(handle, mode)
            stream.write(content)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def copy_of(source: Path, target: Path) -> None:
    """Copy a file's bytes to `target`, which must not be there; file systems that can share the blocks do.

    Raises `OSError` as `open` does.
    """
    with source.open("rb") as old, target.open("xb") as new:
        with contextlib.suppress(OSError):  # another file system, or a kernel that cannot: the rest is copied below
            while os.copy_file_range(old.fileno(), new.fileno(), _PIECE):
                pass
        old.seek(os.lseek(new.fileno(), 0, os.SEEK_CUR))
        shutil.copyfileobj(old, new)


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal, read in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

"""Files that are whole or not there, and what is in them as a checksum."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


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


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal, read in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

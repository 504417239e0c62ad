"""Files that are whole or not there, and what is in them as a checksum.

What is not yet whole lies beside its target under a name that no one can foresee, and is made anew: in a folder that
others may write to, nobody can have put a link there.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets as randomness
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PIECE = 1 << 30
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_DEVICES = ("/dev/", "/proc/self/fd/")


def write_whole(file: Path, content: bytes, mode: int = 0o644) -> None:
    """Write `content` to `file` in one move: a reader never sees half of it, and an error leaves what was there.

    It is on the disk when this returns: also after a power cut there is the old content or the new one.
    """
    with _written_beside(file, content, mode) as new:
        new.replace(file)
    sync_folder(file.parent)


def write_once(file: Path, content: bytes, mode: int = 0o644) -> bool:
    """As `write_whole`, unless something is there, also a link; whether it was written. Of several at once one does."""
    try:
        with _written_beside(file, content, mode) as new:
            os.link(new, file, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _write_exclusively(file, content, mode)
    sync_folder(file.parent)
    return True


def write_output(file: Path, content: bytes) -> None:
    """Write a file that a person has named for output: whole, with the mode that the umask leaves. A link of that name
    is replaced and not followed, but for `/dev/stdout` and its like."""
    if str(file).startswith(_DEVICES):
        file.write_bytes(content)
        return
    with _written_beside(file, content) as new:
        new.replace(file)


@contextmanager
def _written_beside(file: Path, content: bytes, mode: int | None = None) -> Iterator[Path]:
    """A file beside `file` with the content, on the disk, to be given its name; gone afterwards."""
    handle, new = open_beside(file, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            if mode is not None:
                os.fchmod(handle, mode)
            stream.write(content)
            stream.flush()
            os.fsync(handle)
        yield new
    finally:
        new.unlink(missing_ok=True)


def _write_exclusively(file: Path, content: bytes, mode: int) -> bool:
    """Where the file system has no hard links."""
    try:
        handle = os.open(file, _NEW, mode)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(handle)
    return True


def open_beside(file: Path, mode: int = 0o666) -> tuple[int, Path]:
    """A new hidden file in `file`'s folder, open to write; its descriptor and path. The umask cuts its mode."""
    new = file.parent / f".toolkit-{randomness.token_hex(16)}.part"
    return os.open(new, _NEW, mode), new


def sync_folder(folder: Path) -> None:
    """Have on the disk what was renamed in `folder`, where the system lets us."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def copy_of(source: Path, target: Path) -> None:
    """Copy a file's bytes to `target`, which must not be there; file systems that can share the blocks do.

    Raises `OSError` as `open` does.
    """
    with source.open("rb") as old, target.open("xb") as new:
        with suppress(OSError):  # another file system, or a kernel that cannot: the rest is copied below
            while os.copy_file_range(old.fileno(), new.fileno(), _PIECE):
                pass
        old.seek(os.lseek(new.fileno(), 0, os.SEEK_CUR))
        shutil.copyfileobj(old, new)


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal, read in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

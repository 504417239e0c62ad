"""Files that are complete or absent, and checksums of their content.

An incomplete file is next to its target, newly created under an unpredictable name: even in a folder that others can
write to, nobody can have put a link there.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets as randomness
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PIECE = 1 << 30
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_DEVICES = ("/dev/", "/proc/self/fd/")


def write_whole(file: Path, content: bytes, mode: int = 0o644) -> None:
    """Write `content` to `file` atomically: a reader never sees half of it, and an error leaves the old content.

    It is on disk when this returns: even after a power failure, there is either the old content or the new.
    """
    with _written_beside(file, content, mode) as new:
        new.replace(file)
    sync_folder(file.parent)


def write_once(file: Path, content: bytes, mode: int = 0o644) -> bool:
    """Like `write_whole`, unless anything, even a link, is there; whether it wrote. Of several at once, one does."""
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
    """Write an output file named by the user: atomically, with the mode that the umask allows. A link of that name
    is replaced, not followed, except `/dev/stdout` and the like."""
    if str(file).startswith(_DEVICES):
        file.write_bytes(content)
        return
    with _written_beside(file, content) as new:
        new.replace(file)


@contextmanager
def _written_beside(file: Path, content: bytes, mode: int | None = None) -> Iterator[Path]:
    """A temporary file next to `file`, synced to disk with the content, to be renamed or linked; removed afterwards."""
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
    """For file systems without hard links."""
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
    """A new hidden file in `file`'s folder, open for writing; its descriptor and path. The umask applies to `mode`."""
    new = file.parent / f".toolkit-{randomness.token_hex(16)}.part"
    return os.open(new, _NEW, mode), new


def sync_folder(folder: Path) -> None:
    """Sync renames in `folder` to disk, if the system allows."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def copy_of(source: Path, target: Path) -> None:
    """Copy a file's bytes to `target`, which must not exist; file systems that support it share the blocks.

    Raises `OSError` as `open` does.
    """
    import shutil

    with source.open("rb") as old, target.open("xb") as new:
        with suppress(OSError):  # another file system, or an unsupported kernel: the rest is copied below
            while os.copy_file_range(old.fileno(), new.fileno(), _PIECE):
                pass
        old.seek(os.lseek(new.fileno(), 0, os.SEEK_CUR))
        shutil.copyfileobj(old, new)


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal, read in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

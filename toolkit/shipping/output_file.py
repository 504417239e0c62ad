"""Writes a large file atomically."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from toolkit.atomic_file import open_beside, sync_folder
from toolkit.errors import Code, ToolkitError
from toolkit.full_disk import disk_watched


@contextmanager
def new_file(target: Path) -> Iterator[IO[bytes]]:
    """A stream for `target`'s bytes. The name appears, or is replaced, once they are all written and synced.

    Until then they are beside it under a hidden name, which is removed after an error or a Ctrl-C. The mode follows the
    umask: nothing in it is secret. Raises `ToolkitError` (S100) if the disk is full.
    """
    if target.exists() and not target.is_file():
        raise ToolkitError(Code.RESOURCES, f"{target} exists and is not a file", hint="give another name with -o")
    if not target.absolute().parent.is_dir():
        raise ToolkitError(
            Code.RESOURCES, f"{target}: there is no folder {target.parent}", hint="create it, or choose another"
        )
    with full_disk_translated(target.absolute().parent):
        handle, part = open_beside(target)
        try:
            with os.fdopen(handle, "w+b") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(target)
            sync_folder(target.absolute().parent)
        finally:
            part.unlink(missing_ok=True)


def full_disk_translated(folder: Path) -> AbstractContextManager[None]:
    """The system's error about a full disk, as one that names the disk; other errors are ignored."""
    hint = "partial files were removed; free some space (df -h), or choose a file on another disk"
    what = f"the disk of {folder} is full"
    return disk_watched(lambda said: ToolkitError(Code.RESOURCES, what, evidence=said, hint=hint))

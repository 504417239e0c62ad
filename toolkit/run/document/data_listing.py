"""The training data as it is listed at a launch, and the digest by which two runs' data are compared."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from toolkit.errors import ToolkitError
from toolkit.folder_files import FolderFile, files_of
from toolkit.storage.client import Access
from toolkit.storage.s3 import Store

_MOST_FILES, _MOST_ENTRIES = 100_000, 1000
_SECONDS = 20.0
_PATIENCE_SECONDS = 1.0
"""How much longer than its other work a launch waits for the listing."""

OF_EXPORT = "it is an NFS export, which only the hosts' learners mount"
OF_HOSTS = "it is a folder of other hosts"
"""Why data that this machine does not see has no listing. Another account than the programs' would list it, or find
nothing; and what one host has says nothing about the next."""


class DataFile(NamedTuple):
    """A file of the data: its path below the bucket or folder, its bytes, its ETag (empty for a folder)."""

    path: str
    size: int
    etag: str = ""


def listing_of(files: Iterable[DataFile]) -> dict[str, Any]:
    """The listing as a record has it. Pure."""
    found = sorted(files)
    lines = (f"{file.size} {file.etag or '-'} {json.dumps(file.path)}\n" for file in found)
    return {
        "sha256": hashlib.sha256("".join(lines).encode()).hexdigest(),
        "files": len(found),
        "bytes": sum(file.size for file in found),
        "entries": [{"path": path, "bytes": size, "etag": etag} for path, size, etag in found[:_MOST_ENTRIES]],
    }


def bounded_listing(files: Iterator[DataFile], seconds: float = _SECONDS) -> dict[str, Any]:
    """`listing`, or `not_listed` with the reason: too many files, too slow, or an error."""
    until = time.monotonic() + seconds
    found: list[DataFile] = []
    try:
        for file in islice(files, _MOST_FILES + 1):
            found.append(file)
            if time.monotonic() > until:
                return {"not_listed": f"listing it takes longer than {seconds:.0f} s"}
    except (ToolkitError, OSError) as error:
        return {"not_listed": error.what if isinstance(error, ToolkitError) else str(error)}
    if len(found) > _MOST_FILES:
        return {"not_listed": f"it has more than {_MOST_FILES:,} files"}
    return {"listing": listing_of(found)}


def files_in_bucket(access: Access, bucket: str) -> Iterator[DataFile]:
    """The objects of a bucket, or of a part of it. Raises `ToolkitError` (S302) if the store does not answer."""
    return (DataFile(item.key, item.size, item.etag) for item in Store(access).objects(bucket))


def files_in_folder(folder: Path) -> Iterator[DataFile]:
    """The files of a folder on this machine; what is no file is left out."""
    return (DataFile(one.name, one.status.st_size) for one in files_of(folder) if isinstance(one, FolderFile))


class BackgroundListing:
    """A listing that is made while a launch does its other work."""

    def __init__(self, files: Iterator[DataFile]) -> None:
        self._found: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._list, args=(files,), name="data listing", daemon=True)
        self._thread.start()

    def _list(self, files: Iterator[DataFile]) -> None:
        self._found = bounded_listing(files)

    def result(self) -> dict[str, Any]:
        """As `bounded_listing`; also `not_listed` if it is not done a second from now."""
        self._thread.join(_PATIENCE_SECONDS)
        return self._found or {"not_listed": "listing it takes longer than the start of the run"}

"""Where a run's results are: in its bucket, in a copy of the bucket's folder, or in what `toolkit collect` left.

Each place gives the SHA-256 of every file by its path below the run's folder, and the content of a small one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from toolkit.agent.checksums import SUMS, digest_of, files_below
from toolkit.errors import Code, ToolkitError
from toolkit.run.document.compare import CODE
from toolkit.run.finish.digests import by_listed_key
from toolkit.run.finish.own_folder import MARKER
from toolkit.storage.s3 import Store, StoredObject

OnFile = Callable[[str, int], None]
"""Called with a path and a number of bytes, while a file is read."""
_AT_ONCE = 4
_ABSENT = ("absent", "NoSuchKey", "404")


class Place(Protocol):
    """A place that holds a run's results."""

    partial: bool
    """Whether only a part of the results was put there."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def digests(self, expected: dict[str, str], on_file: OnFile) -> dict[str, str]:
        """SHA-256 by path, of every file there; a store may list a path of `expected` under another spelling."""
        ...

    def read(self, path: str, most: int) -> bytes | None:
        """A file of at most `most` bytes; None if it is not there. Raises `ToolkitError` (S302) if it is larger."""
        ...


class InBucket:
    """The run's folder in its bucket."""

    partial = False

    def __init__(self, store: Store, bucket: str, run: str) -> None:
        self._store, self._bucket, self.run = store, bucket, run

    @property
    def name(self) -> str:
        return f"{self._bucket}/{self.run}"

    def digests(self, expected: dict[str, str], on_file: OnFile) -> dict[str, str]:
        prefix = f"{self.run}/"
        listed = {item.key.removeprefix(prefix): item for item in self._store.objects(self._bucket, prefix)}
        spelt = by_listed_key({path: path for path in expected}, listed)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            sums = pool.map(lambda path: self._sha256(path, listed[path], on_file), listed)
            return {spelt.get(path, path): sha256 for path, sha256 in zip(listed, sums, strict=True)}

    def _sha256(self, path: str, item: StoredObject, on_file: OnFile) -> str:
        """Of as much as was listed: an object that goes on growing is read no further."""
        sha256, size = hashlib.sha256(), 0
        for piece in self._store.pieces(self._bucket, item.key, 0) if item.size else ():
            size += len(piece)
            if size > item.size:
                break
            sha256.update(piece)
            on_file(path, len(piece))
        return sha256.hexdigest()

    def read(self, path: str, most: int) -> bytes | None:
        try:
            return self._store.read(self._bucket, f"{self.run}/{path}", most)
        except ToolkitError as error:
            if error.context.get("reason") in _ABSENT:
                return None
            raise

    def write(self, path: str, data: bytes) -> None:
        """Write a small object. Raises `ToolkitError`."""
        self._store.write(self._bucket, f"{self.run}/{path}", data)


class InFolder:
    """A folder on this machine: a copy of the run's folder, or what `toolkit collect` left (`partial`), in which the
    code and the manifest's additional files have other names. Links are not followed."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ToolkitError(Code.MANIFEST, f"{folder} is not a folder")
        self._folder = folder
        self.partial = (folder / MARKER).is_file()

    @property
    def name(self) -> str:
        return str(self._folder)

    def digests(self, expected: dict[str, str], on_file: OnFile) -> dict[str, str]:  # noqa: ARG002 (spelt as it is)
        found = {}
        for path, file in files_below(self._folder):
            if self.partial and path in (SUMS, MARKER):
                continue
            digest = digest_of(file, md5=False)
            on_file(path, digest.size)
            found[self._original(path)] = digest.sha256
        return found

    def _original(self, path: str) -> str:
        folder, _, rest = path.partition("/")
        if self.partial and rest:
            return {"code": f"{CODE}{rest}", "files": rest}.get(folder, path)
        return path

    def read(self, path: str, most: int) -> bytes | None:
        with suppress(OSError):
            descriptor = os.open(self._folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as stream:
                return bounded(stream.read(most + 1), path, most)
        return None


def bounded(data: bytes, path: str, most: int) -> bytes:
    """`data`, which is `path`. Raises `ToolkitError` (S302) if it is larger than `most` bytes."""
    if len(data) > most:
        raise ToolkitError(Code.LOADING_DATA, f"{path} is larger than {most >> 20} MiB; it was not read")
    return data

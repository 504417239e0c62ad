"""Where a run's results are: in its bucket, or in a folder here: a copy, a collected model, an exported crate.

Each place gives the SHA-256 of every file by its path below the run's folder, and the content of a small one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from toolkit.agent.checksums import SUMS, digest_of, files_below
from toolkit.agent.run_document import NAME
from toolkit.errors import Code, ToolkitError
from toolkit.run.document.compare import CODE
from toolkit.run.document.crate import METADATA, WORKFLOW
from toolkit.run.finish.digests import by_listed_key
from toolkit.run.finish.own_folder import MARKER
from toolkit.storage.s3 import Store, StoredObject

OnFile = Callable[[str, int], None]
"""Called with a path and a number of bytes, while a file is read."""
_AT_ONCE, _PIECE = 4, 1 << 20
_ABSENT = ("absent", "NoSuchKey", "404")


class Place(Protocol):
    """A place that holds a run's results."""

    partial: bool
    """Whether only a part of the results was put there."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def digests(self, expected: Iterable[str], on_file: OnFile) -> dict[str, str]:
        """SHA-256 by path, of every file there; a store may list a path of `expected` under another spelling."""
        ...

    def read(self, path: str, most: int) -> bytes | None:
        """A file of at most `most` bytes; None if it is not there. Raises `ToolkitError` (S302) if it is larger."""
        ...

    def paths(self, expected: Iterable[str] = ()) -> dict[str, str]:
        """The path of every file by its name here, which for paths of `expected` may be another spelling."""
        ...

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of a file by its name here, in pieces of at most 1 MiB, and no more than was listed."""
        ...


class InBucket:
    """The run's folder in its bucket."""

    partial = False

    def __init__(self, store: Store, bucket: str, run: str) -> None:
        self._store, self._bucket, self.run = store, bucket, run
        self._listed: dict[str, StoredObject] = {}

    @property
    def name(self) -> str:
        return f"{self._bucket}/{self.run}"

    def digests(self, expected: Iterable[str], on_file: OnFile) -> dict[str, str]:
        listed = self.paths(expected)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            sums = pool.map(lambda name: self._sha256(name, on_file), listed)
            return dict(zip(listed.values(), sums, strict=True))

    def paths(self, expected: Iterable[str] = ()) -> dict[str, str]:
        prefix = f"{self.run}/"
        self._listed = {item.key.removeprefix(prefix): item for item in self._store.objects(self._bucket, prefix)}
        spelt = by_listed_key({path: path for path in expected}, self._listed)
        return {name: spelt.get(name, name) for name in self._listed}

    def pieces(self, name: str) -> Iterator[bytes]:
        item, size = self._listed[name], 0
        for piece in self._store.pieces(self._bucket, item.key, 0) if item.size else ():
            size += len(piece)
            if size > item.size:  # it goes on growing
                return
            yield piece

    def _sha256(self, name: str, on_file: OnFile) -> str:
        sha256 = hashlib.sha256()
        for piece in self.pieces(name):
            sha256.update(piece)
            on_file(name, len(piece))
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


@dataclass(frozen=True)
class Layout:
    """Where a folder has the files of a run's folder: by the beginning of a name there, that of the path. `own` are its
    own files; `partial`: not everything was put there."""

    folders: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    partial: bool = False


COPY = Layout()
COLLECTED = Layout({"code/": CODE, "files/": ""}, (SUMS, MARKER), partial=True)
CRATE = Layout({"code/": CODE, "results/": ""}, (METADATA, WORKFLOW, NAME))


class InFolder:
    """A folder on this machine: a copy of the run's folder, what `toolkit collect` left, or an exported crate. Links
    are not followed."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ToolkitError(Code.MANIFEST, f"{folder} is not a folder")
        self._folder = folder
        crate = (folder / METADATA).is_file()
        self._layout = CRATE if crate else COLLECTED if (folder / MARKER).is_file() else COPY
        self.partial = self._layout.partial

    @property
    def name(self) -> str:
        return str(self._folder)

    def digests(self, expected: Iterable[str], on_file: OnFile) -> dict[str, str]:
        found = {}
        for name, path in self.paths(expected).items():
            digest = digest_of(self._folder / name, md5=False)
            on_file(name, digest.size)
            found[path] = digest.sha256
        return found

    def paths(self, expected: Iterable[str] = ()) -> dict[str, str]:  # noqa: ARG002 (spelt as it is)
        names = (file.relative_to(self._folder).as_posix() for _, file in files_below(self._folder))
        return {name: self._original(name) for name in names if name not in self._layout.own}

    def pieces(self, name: str) -> Iterator[bytes]:
        with (self._folder / name).open("rb") as stream:
            left = os.fstat(stream.fileno()).st_size
            while left and (piece := stream.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece

    def _original(self, path: str) -> str:
        for local, original in self._layout.folders.items():
            if path.startswith(local):
                return f"{original}{path.removeprefix(local)}"
        return path

    def read(self, path: str, most: int) -> bytes | None:
        folders = ("", *(local for local, original in self._layout.folders.items() if not original))
        for folder in folders:
            with suppress(OSError):
                file = self._folder / f"{folder}{path}"
                descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                with os.fdopen(descriptor, "rb") as stream:
                    return bounded(stream.read(most + 1), path, most)
        return None


def bounded(data: bytes, path: str, most: int) -> bytes:
    """`data`, which is `path`. Raises `ToolkitError` (S302) if it is larger than `most` bytes."""
    if len(data) > most:
        raise ToolkitError(Code.LOADING_DATA, f"{path} is larger than {most >> 20} MiB; it was not read")
    return data

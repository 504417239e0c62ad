"""Reads the mount process's log about uploads: which cached files programs wrote, and why one could not be uploaded.

rclone's cache holds files written here beside files only read, and does not distinguish them. Its log does: a file that
is queued for upload was written. Each gets a mark, an extended attribute, which follows it when it is renamed,
disappears with it, and is still there for a rescue.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from toolkit.agent.checksums import plain
from toolkit.agent.paths import CACHE, UPLOAD_ERROR

_MARK = "user.toolkit.written"
_WRITTEN = ("vfs cache: queuing for upload", "vfs cache: upload succeeded")
_FAILED = "vfs cache: failed to upload"
_UNIMPORTANT = ("debug", "info")
_LONGEST = 4000


def watch(log: IO[bytes], said: Path = Path(UPLOAD_ERROR), roots: Iterable[Path] | None = None) -> None:
    """Read the log to its end: mark written files, keep the last failure, pass on messages for people.

    It must not stop early: the process would block on a log that nobody reads.

    Args:
        said: gets the last failure.
        roots: the cache folder of each mount's files; by default those of the existing mounts.
    """
    for text in log:
        with suppress(OSError, ValueError, AttributeError, TypeError, RecursionError):
            _take(text, said, roots)


def _take(text: bytes, said: Path, roots: Iterable[Path] | None) -> None:
    written = any(words.encode() in text for words in _WRITTEN)
    if b'"level":"info"' in text and not written:
        return
    if not text.startswith(b"{"):  # a panic, or a message of the shell
        print(text.decode("utf-8", "replace")[:_LONGEST].rstrip(), file=sys.stderr, flush=True)
        return
    event = json.loads(text)
    level, message, name = (str(event.get(key, "")) for key in ("level", "msg", "object"))
    if message.startswith(_WRITTEN):
        mark_named(name, mounted() if roots is None else roots)
    if level in _UNIMPORTANT:
        return
    about = f"{name}: {message}" if name else message
    print(f"{event.get('time', '')} {level}: {about}"[:_LONGEST], file=sys.stderr, flush=True)
    if message.startswith(_FAILED):
        said.write_text(about[:_LONGEST], "utf-8", "replace")


def last_failure(said: Path = Path(UPLOAD_ERROR)) -> str:
    """Why an upload failed last, in rclone's words; empty if none did."""
    with suppress(OSError):
        return said.read_text("utf-8", "replace").strip()
    return ""


def mounted(cache: Path = Path(CACHE), mounts: Path = Path("/proc/self/mounts")) -> list[Path]:
    """The cache folder of each mount's files: a mount's device is its name in rclone."""
    lines = [text.split(" ") for text in mounts.read_text("utf-8", "surrogateescape").splitlines()]
    return [root_of(line[0], cache) for line in lines if len(line) > 2 and line[2] == "fuse.rclone"]


def place_of(filesystem: str) -> str:
    """A file system's folder in both parts of rclone's cache, `vfs` and `vfsMeta`; a prefix may have colons."""
    return filesystem.replace(":", "/", 1)


def root_of(filesystem: str, cache: Path = Path(CACHE)) -> Path:
    """The cache folder of the files of `filesystem` ("results:bucket/prefix")."""
    return cache / "vfs" / place_of(filesystem)


def mark_named(name: str, roots: Iterable[Path]) -> None:
    """Mark the files that the mount process calls `name`."""
    parts = name.split("/")
    if not {"", ".", ".."} & set(parts):
        for root in roots:
            for file in _found(root, parts):
                mark(file)


def mark(file: Path) -> None:
    """Mark a cached file as written here."""
    with suppress(FileNotFoundError):  # renamed meanwhile: it is queued again, or was marked before
        os.setxattr(file, _MARK, b"1", follow_symlinks=False)


def is_marked(file: Path) -> bool:
    """Whether a cached file was written here. If the volume cannot store such marks, each counts as written."""
    try:
        os.getxattr(file, _MARK, follow_symlinks=False)
    except OSError as error:
        return error.errno == errno.ENOTSUP
    return True


def _found(folder: Path, parts: list[str]) -> Iterator[Path]:
    """The files whose path below `folder` the log gives as `parts`: unusual characters are not logged literally."""
    first, rest = parts[0], parts[1:]
    names = [first]
    if not os.path.lexists(folder / first):
        names = [name for name in _listed(folder) if _normalized(name) == _normalized(first)]
    for name in names:
        path = folder / name
        if rest and path.is_dir() and not path.is_symlink():
            yield from _found(path, rest)
        elif not rest and path.is_file() and not path.is_symlink():
            yield path


def _listed(folder: Path) -> list[str]:
    """A folder's entries; empty if it does not exist: a mount without a cache, or a folder that was renamed."""
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def _normalized(name: str) -> str:
    """A name without what log and cache write differently: rclone's quotes and symbols, bytes that are not UTF-8."""
    return plain("".join("�" if 0xDC80 <= ord(one) <= 0xDCFF else one for one in name))

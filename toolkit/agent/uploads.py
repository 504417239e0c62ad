"""What the mounts' process says of its uploads: which cached files programs wrote, and why one could not be uploaded.

rclone's cache holds what was written here beside what was only read, and does not tell them apart. Its log does: a
file that is queued for upload was written. Each gets a mark, an extended attribute, which goes with it when it is
renamed, goes away with it, and is still there for a rescue.
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
    """Read the log to its end: mark what was written, keep the last failure, hand on what is worth a person's eye.

    Nothing stops it: the process would wait for ever for whoever reads its log.

    Args:
        said: gets the last failure.
        roots: where in the cache the files of each mount lie; by default those of the mounts that there are.
    """
    for text in log:
        with suppress(OSError, ValueError, AttributeError, TypeError, RecursionError):
            _take(text, said, roots)


def _take(text: bytes, said: Path, roots: Iterable[Path] | None) -> None:
    written = any(words.encode() in text for words in _WRITTEN)
    if b'"level":"info"' in text and not written:
        return
    if not text.startswith(b"{"):  # a panic, or the words of the shell
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
    """Why an upload failed last, in rclone's words; empty where none did."""
    with suppress(OSError):
        return said.read_text("utf-8", "replace").strip()
    return ""


def mounted(cache: Path = Path(CACHE), mounts: Path = Path("/proc/self/mounts")) -> list[Path]:
    """Where in the cache the files of each mount lie: a mount's device is the name that rclone has for it."""
    lines = [text.split(" ") for text in mounts.read_text("utf-8", "surrogateescape").splitlines()]
    return [root_of(line[0], cache) for line in lines if len(line) > 2 and line[2] == "fuse.rclone"]


def root_of(filesystem: str, cache: Path = Path(CACHE)) -> Path:
    """Where in the cache the files of `filesystem` ("results:bucket/prefix") lie."""
    return cache / "vfs" / filesystem.replace(":", "/", 1)


def mark_named(name: str, roots: Iterable[Path]) -> None:
    """Mark the files that the mounts' process calls `name`."""
    parts = name.split("/")
    if not {"", ".", ".."} & set(parts):
        for root in roots:
            for file in _found(root, parts):
                mark(file)


def mark(file: Path) -> None:
    """Say of a cached file that it was written here."""
    with suppress(FileNotFoundError):  # renamed meanwhile: it is queued again, or was marked before
        os.setxattr(file, _MARK, b"1", follow_symlinks=False)


def is_marked(file: Path) -> bool:
    """Whether a cached file was written here. Where the volume keeps no such marks, each counts as written."""
    try:
        os.getxattr(file, _MARK, follow_symlinks=False)
    except OSError as error:
        return error.errno == errno.ENOTSUP
    return True


def _found(folder: Path, parts: list[str]) -> Iterator[Path]:
    """The files whose path below `folder` the log gives as `parts`: odd characters are not given as they are."""
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
    """What lies in a folder; nothing where it is not there: a mount without a cache, or a folder that was renamed."""
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def _normalized(name: str) -> str:
    """A name without what log and cache write in different ways: quotes of rclone's, symbols of control characters,
    bytes that are no UTF-8."""
    return plain("".join("�" if 0xDC80 <= ord(one) <= 0xDCFF else one for one in name))

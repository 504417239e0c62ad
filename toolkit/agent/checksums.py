"""SHA-256 of the files that programs wrote, and the list of them: one line per object, in the format of sha256sum(1).

The digests are computed from the mount's cache, which holds what a program wrote; never from data read back from the
store. The cache also contains files that were only read: files that were written have a mark (`toolkit.agent.uploads`).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SUMS = "SHA256SUMS"
"""The list's name beside the run's record. Names in it are the objects' keys below the results' bucket and prefix."""
MOST_BYTES = 256 << 20
"""Maximum size of a list: a million objects with long names."""
_PIECE = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_PLAIN = {escape: plain for plain, escape in _ESCAPES.items()}
_SYMBOLS = {"‛": "", "␡": "\x7f"} | {chr(0x2400 + control): chr(control) for control in range(32)}
_ESCAPE = re.compile(r"\\[\\nr]")


@dataclass(frozen=True)
class Digest:
    """A file's size in bytes, SHA-256 and MD5 (empty if not requested), in hexadecimal."""

    size: int
    sha256: str
    md5: str = ""


def digest_of(file: Path, *, md5: bool = True) -> Digest:
    """The digest of a file, read once, in chunks of 1 MiB. Raises `OSError`; links are not followed."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return digest_of_open(descriptor, md5=md5)
    finally:
        os.close(descriptor)


def digest_of_open(descriptor: int, *, md5: bool = False, most: int | None = None) -> Digest:
    """The digest of the first `most` bytes (default: all) of an open file from its beginning. Raises `OSError`."""
    sha256, also, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    while piece := os.pread(descriptor, _PIECE if most is None else min(_PIECE, most - size), size):
        size += len(piece)
        sha256.update(piece)
        if md5:
            also.update(piece)
    return Digest(size, sha256.hexdigest(), also.hexdigest() if md5 else "")


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every regular file below `folder` with the key of its object, folder by folder; links are skipped."""
    waiting = [("", folder)]
    while waiting:
        above, here = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        for entry in entries:
            key = f"{above}{key_of(entry.name)}"
            if entry.is_dir(follow_symlinks=False):
                waiting.append((f"{key}/", Path(entry.path)))
            elif entry.is_file(follow_symlinks=False):
                yield key, Path(entry.path)


def key_of(name: str) -> str:
    """A cached file's name in the store: rclone writes a byte that is not UTF-8 as `‛` and two digits."""
    return "".join(f"‛{ord(one) - 0xDC00:02X}" if 0xDC80 <= ord(one) <= 0xDCFF else one for one in name)


def plain(key: str) -> str:
    """A key without rclone's quotes and symbols. Stores that keep objects as files list some keys (with control
    characters, or written by `key_of`) differently from how they were uploaded; so does the embedded store."""
    return "".join(_SYMBOLS.get(one, one) for one in key)


def line(name: str, sha256: str) -> str:
    """A line of the list, without its end: names with a line end or `\\` are escaped, as sha256sum(1) does."""
    escaped = "".join(_ESCAPES.get(character, character) for character in name)
    return f"{'' if escaped == name else chr(92)}{sha256}  {escaped}"


def parse_line(text: str) -> tuple[str, str]:
    """Name and SHA-256 of such a line. Raises `ValueError` if it is malformed."""
    sha256, _, name = text.removeprefix("\\").partition("  ")
    if text.startswith("\\"):
        name = _ESCAPE.sub(lambda match: _PLAIN[match[0]], name)
    if not _SHA256.fullmatch(sha256) or not name:
        raise ValueError(f"not a line of a list of checksums: {text[:100]!r}")
    return name, sha256


def write_list(sums: Mapping[str, str]) -> bytes:
    """The list for `sums`, SHA-256 by key, sorted by key: the same files give the same list."""
    return "".join(f"{line(name, sha256)}\n" for name, sha256 in sorted(sums.items())).encode("utf-8")


def read_list(data: bytes) -> dict[str, str]:
    """SHA-256 by key. Raises `ValueError` if it is malformed or contains an object twice."""
    sums: dict[str, str] = {}
    for text in data.decode("utf-8").split("\n"):
        if text:
            name, sha256 = parse_line(text)
            if sums.setdefault(name, sha256) != sha256:
                raise ValueError(f"it has two checksums of {name!r}")
    return sums


def merged(lists: Iterable[Mapping[str, str]]) -> tuple[dict[str, str], set[str]]:
    """Merge the lists of several hosts; an object with two different digests gets none. Returns also those objects."""
    sums: dict[str, str] = {}
    disputed: set[str] = set()
    for one in lists:
        for name, sha256 in one.items():
            if sums.setdefault(name, sha256) != sha256:
                disputed.add(name)
    return {name: sha256 for name, sha256 in sums.items() if name not in disputed}, disputed


def sha256_of(data: bytes) -> str:
    """SHA-256 of a list, for the record."""
    return hashlib.sha256(data).hexdigest()

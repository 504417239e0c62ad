"""Write files as a tar, a piece at a time: nothing is copied to disk, no file is held in memory."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import Code, ToolkitError

_PIECE = 1 << 20
END = b"\0" * (2 * tarfile.BLOCKSIZE)
"""The end of a tar."""


@dataclass(frozen=True)
class Entry:
    """One file of a tar: its name there, its content (bytes, or a file's), its mode and owner. See `folder`.

    If `sha256` is given, the content must match: it is hashed while it is streamed, and on a mismatch the tar is cut
    off inside this file, so that no reader gets a complete one and uses any of it.
    """

    name: str
    content: bytes | Path
    mode: int = 0o644
    uid: int = 0
    sha256: str = ""


def folder(name: str, uid: int = 0) -> Entry:
    """An empty folder of a tar."""
    return Entry(f"{name}/", b"", 0o755, uid)


def tar_stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """`entries` as a tar in the pax format, with all times 0 so that equal entries give equal bytes.

    Raises `ToolkitError` (S100) if a file does not have the SHA-256 of its entry.
    """
    for entry in entries:
        size = len(entry.content) if isinstance(entry.content, bytes) else entry.content.stat().st_size
        info = header(entry.name, size)
        info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.uid
        info.type = tarfile.DIRTYPE if entry.name.endswith("/") else tarfile.REGTYPE
        pieces = _pieces(entry.content)
        yield from framed(info, _checked(entry, pieces) if entry.sha256 else pieces)
    yield END


def header(name: str, size: int) -> tarfile.TarInfo:
    """The header of a file of root's, readable for all, of `size` bytes."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info


def framed(info: tarfile.TarInfo, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """One member of a tar being written; raises `OSError` if `pieces` do not have the size in `info`."""
    yield info.tobuf(tarfile.PAX_FORMAT)
    sent = 0
    for piece in pieces:
        sent += len(piece)
        yield piece
    if sent != info.size:
        raise OSError(f"{info.name} changed while it was read")
    yield b"\0" * (-info.size % tarfile.BLOCKSIZE)


def _checked(entry: Entry, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces; the last one only if all of them together have the right hash."""
    digest, held = hashlib.sha256(), b""
    for piece in pieces:
        if held:
            yield held
        digest.update(piece)
        held = piece
    if digest.hexdigest() != entry.sha256:
        raise ToolkitError(
            Code.RESOURCES,
            f"{entry.name if isinstance(entry.content, bytes) else entry.content} has changed since it was checked",
            evidence=f"expected sha256 {entry.sha256}\nfound    sha256 {digest.hexdigest()}",
            hint="it was not used; start again when nothing writes to it any more",
        )
    if held:
        yield held


def _pieces(content: bytes | Path) -> Iterator[bytes]:
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece

"""Files as a tar, a piece at a time: nothing is copied to disk, no file is held in memory."""

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
"""What ends a tar."""


@dataclass(frozen=True)
class Entry:
    """One file of a tar: its name there, its bytes (given, or a file's), its mode and owner.

    Where `sha256` is given, the bytes must have it: they are hashed on their way, and where they are others, the tar
    breaks off inside this file, so that whoever reads it has no whole one and uses nothing of it.
    """

    name: str
    content: bytes | Path
    mode: int = 0o644
    uid: int = 0
    sha256: str = ""


def tar_stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """`entries` as a tar in the ustar form, with all times 0 so that equal entries give equal bytes.

    Raises `ToolkitError` (S100) where a file has not the SHA-256 that its entry asks for.
    """
    for entry in entries:
        info = tarfile.TarInfo(entry.name)
        info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.uid
        info.size = len(entry.content) if isinstance(entry.content, bytes) else entry.content.stat().st_size
        pieces = _pieces(entry.content)
        yield from framed(info, _checked(entry, pieces) if entry.sha256 else pieces)
    yield END


def framed(info: tarfile.TarInfo, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """One member of a tar in the making; raises `OSError` where `pieces` are not of the size that `info` tells."""
    yield info.tobuf(tarfile.PAX_FORMAT)
    sent = 0
    for piece in pieces:
        sent += len(piece)
        yield piece
    if sent != info.size:
        raise OSError(f"{info.name} changed while it was read")
    yield b"\0" * (-info.size % tarfile.BLOCKSIZE)


def _checked(entry: Entry, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces, the last one only when all of them have the right hash."""
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

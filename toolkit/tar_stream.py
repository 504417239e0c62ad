"""Files as a tar, a piece at a time: nothing is copied to disk, no file is held in memory."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PIECE = 1 << 20
END = b"\0" * (2 * tarfile.BLOCKSIZE)
"""What ends a tar."""


@dataclass(frozen=True)
class Entry:
    """One file of a tar: its name there, its bytes (given, or a file's), its mode and owner."""

    name: str
    content: bytes | Path
    mode: int = 0o644
    uid: int = 0


def tar_stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """`entries` as a tar in the ustar form, with all times 0 so that equal entries give equal bytes."""
    for entry in entries:
        info = tarfile.TarInfo(entry.name)
        info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.uid
        info.size = len(entry.content) if isinstance(entry.content, bytes) else entry.content.stat().st_size
        yield from framed(info, _pieces(entry.content))
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


def _pieces(content: bytes | Path) -> Iterator[bytes]:
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece

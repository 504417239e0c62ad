"""Read a tar as a stream, from an engine or a file: never whole in memory, and a truncated one is never accepted."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

PIECE = 1 << 20
"""Bytes that are read at a time."""
_END = 2 * tarfile.BLOCKSIZE
"""Bytes: two blocks of zeros end a tar."""


LARGEST_HEADER = 1 << 20
"""Bytes of headers before a member: a path has 4 KiB at most, extended attributes 64 KiB each."""
_DEEPEST = 8
_EXTENDING = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)


class BoundedTarInfo(tarfile.TarInfo):
    """A header as read by `tarfile`, which reads its extensions into memory: here no more than a real one has.

    Raises `tarfile.ReadError` for more, and for sparse files, whose maps are unlimited; none of our tars has one.
    """

    def _proc_member(self, tar: Any) -> tarfile.TarInfo:  # a comment in tarfile itself says that a subclass may do this
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError(f"{self.name!r} is a sparse or special file")
        if self.type not in _EXTENDING:
            return cast("tarfile.TarInfo", super()._proc_member(tar))  # type: ignore[misc]
        so_far, depth = getattr(tar, "extending", (0, 0))
        if self.size > LARGEST_HEADER or self.size < 0 or so_far + self.size > LARGEST_HEADER or depth >= _DEEPEST:
            raise tarfile.ReadError(f"a header of more than {LARGEST_HEADER} bytes, or of too many parts")
        everywhere = self.type == tarfile.XGLTYPE
        tar.extending = so_far + self.size, depth + 1
        try:
            return cast("tarfile.TarInfo", super()._proc_member(tar))  # type: ignore[misc]
        finally:
            tar.extending = so_far + self.size if everywhere else so_far, depth

    def _proc_gnusparse_10(self, member: tarfile.TarInfo, headers: dict[str, str], *_: Any) -> None:
        name = headers.get("GNU.sparse.name", member.name)
        raise tarfile.ReadError(f"{name!r} is a sparse or special file")


class PieceReader(io.RawIOBase):
    """A stream of pieces, as sent by an engine, as a file object."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces, self._rest = iter(pieces), memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` from the current piece."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def members(tar: IO[bytes] | PieceReader) -> Iterator[tuple[str, tarfile.TarInfo, IO[bytes] | None]]:
    """Every member of the stream `tar` once: its name (`usr/bin/env`, empty for the root), its header, its content.

    The content is a regular file's, None for anything else, and must be read before the next member is requested.
    Raises `tarfile.TarError` if the stream is not a tar, or is truncated.
    """
    stream = _Watched(tar)
    with tarfile.open(fileobj=stream, mode="r|", bufsize=PIECE, tarinfo=BoundedTarInfo) as archive:
        for member in archive:
            archive.members.clear()  # type: ignore[attr-defined]  # else it keeps every member of the stream
            name = member.name.removeprefix("./").strip("/")
            yield "" if name == "." else name, member, archive.extractfile(member) if member.isreg() else None
    stream.finish()


def open_tar(file: Path) -> IO[bytes]:
    """The bytes of a tar file, decompressed if it is gzip, bzip2 or xz."""
    with file.open("rb") as stream:
        head = stream.read(6)
    for magic, opener in _COMPRESSED:
        if head.startswith(magic):
            return cast("IO[bytes]", opener(file))
    return file.open("rb")


_COMPRESSED: tuple[tuple[bytes, Callable[[Path], Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\0", lzma.open),
)


class _Watched(io.RawIOBase):
    """A stream that records how it ended: `tarfile` accepts one that is cut off between two members."""

    def __init__(self, stream: IO[bytes] | PieceReader) -> None:
        self._stream, self._tail = stream, b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Pass on the data, and keep the last of it."""
        piece = self._stream.read(len(buffer)) or b""
        buffer[: len(piece)] = piece
        self._tail = (self._tail + piece[-_END:])[-_END:]
        return len(piece)

    def finish(self) -> None:
        """Read the rest; raises `tarfile.ReadError` if it is not a tar's end."""
        while self.read(PIECE):
            pass
        if self._tail != b"\0" * _END:
            raise tarfile.ReadError("the stream ended before the tar did")

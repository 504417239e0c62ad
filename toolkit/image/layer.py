"""Writing a layer: a tar whose bytes depend on the files alone, streamed, and never whole in memory."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from toolkit.image.settle import EPOCH, MAX_PYC, is_rewritten, is_trace, settled_content, settled_member

_PIECE = 1 << 20


@dataclass(frozen=True)
class Layer:
    """A layer on this machine's disk: its tar, the tar's SHA-256 (OCI's diff id) and size, and how it came to be."""

    file: Path
    diff_id: str
    size: int
    origin: str


@dataclass(frozen=True)
class _Written:
    """Where an entry lies in the tar."""

    order: tuple[str, ...]
    offset: int
    length: int


class PieceReader(io.RawIOBase):
    """A stream of pieces, as an engine sends it, read like a file."""

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


class LayerWriter:
    """One layer in the making. Entries may come in any order; the layer is sorted by path.

    `add` takes one tar at a time, `finish` gives the layer.
    """

    def __init__(self, file: Path, origin: str) -> None:
        self._file, self._origin = file, origin
        self._stream: IO[bytes] = file.open("xb")
        self._entries: list[_Written] = []
        self._names: set[str] = set()

    def add(self, tar: IO[bytes] | PieceReader, prefix: str = "", keep: Callable[[str], bool] = lambda _: True) -> None:
        """Settle every member of the stream `tar` that `keep` wants, and write it below `prefix` (such as `opt/`)."""
        with tarfile.open(fileobj=tar, mode="r|", bufsize=_PIECE) as members:
            for member in members:
                # tarfile remembers every member of a stream, which no one asks for here.
                members.members.clear()  # type: ignore[attr-defined]
                name = prefix + member.name.removeprefix("./").strip("/")
                if name in ("", ".") or name in self._names or is_trace(name) or not keep(name):
                    continue
                if member.islnk():
                    member.linkname = prefix + member.linkname.removeprefix("./").lstrip("/")
                self._write(settled_member(member, name), members.extractfile(member) if member.isreg() else None)

    def add_bytes(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Write one file of root's."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), mode
        self._write(settled_member(info, name), io.BytesIO(content))

    def add_folders_above(self, path: str) -> None:
        """Write the folders above `path`: an engine that meets a file without its folder makes one of today."""
        parts = path.strip("/").split("/")[:-1]
        for count in range(1, len(parts) + 1):
            info = tarfile.TarInfo("/".join(parts[:count]))
            info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, EPOCH
            if info.name not in self._names:
                self._write(settled_member(info, info.name), None)

    def finish(self) -> Layer:
        """End the tar, in order; its hash is of the bytes as they lie on the disk."""
        self._stream.close()
        ordered = sorted(self._entries, key=lambda entry: entry.order)
        digest, size = hashlib.sha256(), 0
        if ordered == self._entries:
            with self._file.open("ab") as target:
                target.write(b"\0" * (2 * tarfile.BLOCKSIZE))
            for piece in _pieces(self._file):
                digest.update(piece)
                size += len(piece)
            return Layer(self._file, f"sha256:{digest.hexdigest()}", size, self._origin)
        return self._reordered(ordered)

    def _reordered(self, ordered: list[_Written]) -> Layer:
        target = self._file.with_name(f"{self._file.name}.sorted")
        digest, size = hashlib.sha256(), 0
        with self._file.open("rb") as source, target.open("xb") as sink:
            for piece in _ranges(source, ordered):
                sink.write(piece)
                digest.update(piece)
                size += len(piece)
        target.replace(self._file)
        return Layer(self._file, f"sha256:{digest.hexdigest()}", size, self._origin)

    def _write(self, info: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        if content is not None and is_rewritten(info.name) and info.size <= MAX_PYC:
            settled = settled_content(info.name, content.read())
            info.size, content = len(settled), io.BytesIO(settled)
        offset = self._stream.tell()
        self._stream.write(info.tobuf(tarfile.PAX_FORMAT))
        if content is not None:
            while piece := content.read(_PIECE):
                self._stream.write(piece)
            self._stream.write(b"\0" * (-info.size % tarfile.BLOCKSIZE))
        self._names.add(info.name)
        self._entries.append(_Written(tuple(info.name.split("/")), offset, self._stream.tell() - offset))


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _ranges(source: IO[bytes], entries: Iterable[_Written]) -> Iterator[bytes]:
    for entry in entries:
        source.seek(entry.offset)
        left = entry.length
        while left:
            piece = source.read(min(left, _PIECE))
            left -= len(piece)
            yield piece
    yield b"\0" * (2 * tarfile.BLOCKSIZE)

"""Writes a layer: a tar whose bytes depend only on the files, streamed, and never completely in memory."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from toolkit.atomic_file import sha256_of
from toolkit.image.normalize import MAX_PYC, is_rewritten, is_trace, settled_content, settled_member
from toolkit.tar.read import PIECE, PieceReader, members
from toolkit.tar.write import END, header


@dataclass(frozen=True)
class Layer:
    """A layer on this machine's disk: its tar, the tar's SHA-256 (OCI's diff ID), and its origin."""

    file: Path
    diff_id: str
    origin: str


@dataclass(frozen=True)
class _Written:
    """An entry's position in the tar."""

    order: tuple[str, ...]
    offset: int
    length: int


class LayerWriter:
    """One layer in progress. Entries may come in any order; the layer is sorted by path.

    `add` reads one tar at a time, `finish` returns the layer.
    """

    def __init__(self, file: Path, origin: str) -> None:
        self._file, self._origin = file, origin
        self._stream: IO[bytes] = file.open("xb")
        self._entries: list[_Written] = []
        self._names: set[str] = set()

    def add(self, tar: IO[bytes] | PieceReader, prefix: str = "", keep: Callable[[str], bool] = lambda _: True) -> None:
        """Normalize every member of the stream `tar` that `keep` selects, and write it below `prefix` (such as `opt/`).

        Raises `tarfile.TarError` if the stream is truncated.
        """
        for name, member, content in members(tar):
            path = prefix + name
            if not name or path in self._names or is_trace(path) or not keep(path):
                continue
            if member.islnk():
                member.linkname = prefix + member.linkname.removeprefix("./").lstrip("/")
            self._write(settled_member(member, path), content)

    def add_bytes(self, name: str, content: bytes) -> None:
        """Write one file of root's, readable for all."""
        self._write(settled_member(header(name, len(content)), name), io.BytesIO(content))

    def add_link(self, name: str, target: str) -> None:
        """Write a symbolic link to `target`, unless `name` exists."""
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
        if name not in self._names:
            self._write(settled_member(info, name), None)

    def add_folders_above(self, path: str) -> None:
        """Write the folders above `path`: an engine creates missing ones with the current time."""
        parts = path.strip("/").split("/")[:-1]
        for count in range(1, len(parts) + 1):
            info = tarfile.TarInfo("/".join(parts[:count]))
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            if info.name not in self._names:
                self._write(settled_member(info, info.name), None)

    def finish(self) -> Layer:
        """Finish the tar, in order; its hash is computed from the bytes on disk."""
        self._stream.close()
        ordered = sorted(self._entries, key=lambda entry: entry.order)
        if ordered != self._entries:
            self._rewrite(ordered)
        with self._file.open("ab") as target:
            target.write(END)
        return Layer(self._file, f"sha256:{sha256_of(self._file)}", self._origin)

    def _rewrite(self, ordered: list[_Written]) -> None:
        target = self._file.with_name(f"{self._file.name}.sorted")
        with self._file.open("rb") as source, target.open("xb") as sink:
            for entry in ordered:
                source.seek(entry.offset)
                left = entry.length
                while left:
                    left -= sink.write(source.read(min(left, PIECE)))
        target.replace(self._file)

    def _write(self, info: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        if content is not None and is_rewritten(info.name) and info.size <= MAX_PYC:
            settled = settled_content(info.name, content.read())
            info.size, content = len(settled), io.BytesIO(settled)
        offset = self._stream.tell()
        self._stream.write(info.tobuf(tarfile.PAX_FORMAT))
        if content is not None:
            while piece := content.read(PIECE):
                self._stream.write(piece)
            self._stream.write(b"\0" * (-info.size % tarfile.BLOCKSIZE))
        self._names.add(info.name)
        self._entries.append(_Written(tuple(info.name.split("/")), offset, self._stream.tell() - offset))

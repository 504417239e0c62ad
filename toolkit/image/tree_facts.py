"""Every file of a tar as a value, for comparing two file systems."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from typing import IO

from toolkit.tar.read import PIECE, PieceReader, members

# Files that an engine puts into every container that it exports, and that no image has.
_ENGINES_OWN = ("dev", "proc", "sys", ".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab")


@dataclass(frozen=True)
class FileFacts:
    """Everything of a file that a layer keeps, its content as a SHA-256."""

    kind: str
    mode: int
    owner: tuple[int, int]
    time: int
    link: str
    content: str
    attributes: tuple[tuple[str, str], ...]


def read_files(tar: IO[bytes] | PieceReader) -> dict[str, FileFacts]:
    """Every file of the stream `tar` by its path; contents are hashed as they pass."""
    return {
        name: _facts(member, content)
        for name, member, content in members(tar)
        if name and name.split("/")[0] not in _ENGINES_OWN and name not in _ENGINES_OWN
    }


def _facts(member: tarfile.TarInfo, content: IO[bytes] | None) -> FileFacts:
    return FileFacts(
        kind=member.type.decode(),
        mode=member.mode,
        owner=(member.uid, member.gid),
        time=int(member.mtime),
        link=member.linkname,
        content=_sha256(content) if content else "",
        attributes=tuple(sorted(pair for pair in member.pax_headers.items() if pair[0].startswith("SCHILY.xattr."))),
    )


def _sha256(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := content.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()

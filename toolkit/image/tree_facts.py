"""Every file of a tar as a value, so that two file systems can be compared."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from typing import IO

from toolkit.image.layer import PieceReader

_PIECE = 1 << 20
# What an engine puts into every container that it exports, and no image has.
_ENGINES_OWN = ("dev", "proc", "sys", ".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab")


@dataclass(frozen=True)
class FileFacts:
    """All of a file that a layer keeps, its content as a SHA-256."""

    kind: str
    mode: int
    owner: tuple[int, int]
    time: int
    link: str
    content: str
    attributes: tuple[tuple[str, str], ...]


def read_files(tar: IO[bytes] | PieceReader) -> dict[str, FileFacts]:
    """Every file of the stream `tar` by its path; contents are hashed as they pass."""
    found: dict[str, FileFacts] = {}
    with tarfile.open(fileobj=tar, mode="r|", bufsize=_PIECE) as members:
        for member in members:
            members.members.clear()  # type: ignore[attr-defined]
            name = member.name.removeprefix("./").strip("/")
            if name and name.split("/")[0] not in _ENGINES_OWN and name not in _ENGINES_OWN:
                found[name] = _facts(member, members)
    return found


def _facts(member: tarfile.TarInfo, members: tarfile.TarFile) -> FileFacts:
    content = hashlib.sha256()
    if (stream := members.extractfile(member) if member.isreg() else None) is not None:
        while piece := stream.read(_PIECE):
            content.update(piece)
    attributes = tuple(sorted((k, v) for k, v in member.pax_headers.items() if k.startswith("SCHILY.xattr.")))
    owner = (member.uid, member.gid)
    kind = member.type.decode()
    return FileFacts(kind, member.mode, owner, int(member.mtime), member.linkname, content.hexdigest(), attributes)

"""An image's files as a stream: each member of the exported tar once, with the content of small ones."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Literal

from toolkit.tar.read import PieceReader, members

_SMALL = 128 << 10
"""Maximum size in bytes of files that are read: keys and settings are smaller."""
_LARGEST_LIST = 32 << 20
_LISTS = re.compile(r"(.*/)?[^/]+\.dist-info/RECORD|var/lib/dpkg/info/[^/]+\.md5sums|(.*/)?[^/]+\.(pem|crt)|etc/ssl/.*")
"""Files read up to `_LARGEST_LIST` bytes: certificate bundles, and packages' file lists."""
_COMMENT = re.compile(rb"(?m)^[ \t]*[#;][^\n]*")
_CAPABILITY = "SCHILY.xattr.security.capability"

Kind = Literal["file", "link", "folder", "device", "other"]


@dataclass(frozen=True)
class Seen:
    """One file of an image: its path without a leading slash, its kind, mode and owner.

    `content` is empty if the file is larger than any that is inspected; `capable` if it has file capabilities (the
    extended attribute `security.capability`).
    """

    path: str
    kind: Kind = "file"
    mode: int = 0o644
    uid: int = 0
    size: int = 0
    capable: bool = False
    content: bytes = b""

    @property
    def effective(self) -> bytes:
        """The content as a settings file, without comment lines."""
        return _COMMENT.sub(b"", self.content)

    @property
    def lines(self) -> list[str]:
        """The content as text."""
        return self.content.decode("utf-8", "replace").splitlines()


def seen_in(tar: IO[bytes] | PieceReader) -> Iterator[Seen]:
    """Every member of the stream `tar`, as it passes."""
    for path, member, stream in members(tar):
        limit = _LARGEST_LIST if _LISTS.fullmatch(path) else _SMALL
        yield Seen(
            path,
            _kind(member),
            member.mode & 0o7777,
            member.uid,
            member.size,
            _CAPABILITY in member.pax_headers,
            stream.read() if stream and member.size <= limit else b"",
        )


def _kind(member: tarfile.TarInfo) -> Kind:
    if member.isreg() or member.islnk():
        return "file"
    if member.issym():
        return "link"
    if member.isdir():
        return "folder"
    return "device" if member.ischr() or member.isblk() else "other"

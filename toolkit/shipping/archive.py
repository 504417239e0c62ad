"""A tar from elsewhere: scanned before any of it is used, and never unpacked by its own names."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import Code, ToolkitError
from toolkit.tar.read import BoundedTarInfo

_PIECE = 1 << 20
_MOST_MEMBERS = 100_000
MAX_DOCUMENT = 4 << 20
"""Maximum size in bytes of a manifest, configuration or list of checksums."""
OnBytes = Callable[[int], None]


@dataclass(frozen=True)
class Member:
    """A regular file of the tar: the offset and number of its bytes."""

    offset: int
    size: int


@dataclass(frozen=True)
class Archive:
    """A tar on this machine's disk and its files by name; every name is a plain relative path."""

    file: Path
    members: dict[str, Member]

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of one file, in chunks; fewer than its size if the tar is truncated."""
        member = self.members[name]
        with self.file.open("rb") as stream:
            stream.seek(member.offset)
            left = member.size
            while left and (piece := stream.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece

    def digest(self, name: str, on_bytes: OnBytes) -> str:
        """The SHA-256 of one file, in hexadecimal; `on_bytes` is called with each chunk's length."""
        found = hashlib.sha256()
        for piece in self.pieces(name):
            found.update(piece)
            on_bytes(len(piece))
        return found.hexdigest()

    def document(self, name: str) -> bytes:
        """A complete small file; raises `ToolkitError` (S103) if it is missing or too large."""
        member = self.members.get(name)
        if member is None:
            raise damaged(self.file, f"it has no {name}")
        if member.size > MAX_DOCUMENT:
            raise damaged(self.file, f"{name} has {member.size} bytes, which is too large")
        return b"".join(self.pieces(name))


def read_archive(file: Path) -> Archive:
    """Scan `file`; raises `ToolkitError` (S103) for anything that our files never contain.

    That is: links, devices, pipes, sparse files; absolute names and names with `..`; duplicate names; truncation.
    """
    members: dict[str, Member] = {}
    try:
        length = file.stat().st_size
        with tarfile.open(file, "r:", tarinfo=BoundedTarInfo) as tar:
            for count, member in enumerate(tar):
                if count >= _MOST_MEMBERS:
                    raise damaged(file, f"it has more than {_MOST_MEMBERS} entries")
                _check(file, member, members)
                if member.offset_data + member.size > length:
                    raise damaged(file, f"it is truncated in {member.name}")
                if not member.isdir():
                    members[member.name] = Member(member.offset_data, member.size)
    except tarfile.TarError as error:
        raise damaged(file, str(error)) from None
    except OSError as error:
        raise ToolkitError(Code.IMAGE, f"{file}: {error.strerror or error}") from None
    return Archive(file, members)


def damaged(file: Path, why: str) -> ToolkitError:
    """The error for a damaged or foreign file."""
    return ToolkitError(
        Code.IMAGE,
        f"{file} is damaged, or was not made by this tool: it was not used",
        evidence=why,
        hint="copy it again, and compare `sha256sum` on both machines",
    )


def _check(file: Path, member: tarfile.TarInfo, seen: dict[str, Member]) -> None:
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or member.issparse():
        raise damaged(file, f"{member.name!r} is {_kind(member)}: only regular files are allowed")
    parts = member.name.split("/")
    if {"", ".", ".."} & set(parts) or not member.name.isprintable() or "\\" in member.name:
        raise damaged(file, f"{member.name!r} is not a plain relative path")
    if member.size < 0:
        raise damaged(file, f"{member.name!r} has {member.size} bytes")
    if member.name in seen:
        raise damaged(file, f"{member.name!r} occurs twice")


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return f"a link to {member.linkname!r}"
    if member.isdev():
        return "a pipe" if member.isfifo() else "a device"
    return "a sparse or special file"

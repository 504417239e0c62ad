"""Reads an image: its file system as a tar stream, in one pass, into `Contents`."""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import IO

from toolkit.image.labels import LOCK_IN_IMAGE
from toolkit.inventory.debian import DOCS, LISTS, STATUS, debian_packages
from toolkit.inventory.model import DEB, Contents, Distribution, File, Package
from toolkit.inventory.python import METADATA, RECORD, python_packages
from toolkit.tar.read import PIECE, PieceReader, members

_LONGEST_TEXT = 32 << 20
"""Bytes: the largest package record (TensorFlow's) has 3 MB."""
_OS_RELEASE = ("/usr/lib/os-release", "/etc/os-release")
_ENGINES_OWN = re.compile(r"/(dev|proc|sys)(/.*)?|/\.dockerenv|/etc/(hostname|hosts|resolv\.conf|mtab)")
"""Files that an engine puts into every container that it exports, whatever the image has there."""
_COMPILED = re.compile(r"(.*/)__pycache__/([^/]+?)\.[^./]+(?:\.opt-[12])?\.pyc")
_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.LNKTYPE: "hard link",
    tarfile.SYMTYPE: "link",
    tarfile.DIRTYPE: "folder",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "pipe",
}

OnBytes = Callable[[int], None]
"""Called with the bytes read so far."""


def read_contents(tar: IO[bytes] | PieceReader, on_bytes: OnBytes = lambda _: None) -> Contents:
    """Everything in the stream `tar`; contents are hashed as they pass, only packages' records are kept.

    Raises `tarfile.TarError` if the stream is truncated.
    """
    files: dict[str, File] = {}
    texts: dict[str, str] = {}
    done = 0
    for name, member, stream in members(tar):
        path = f"/{name}"
        if path == "/" or _ENGINES_OWN.fullmatch(path):
            continue
        content = ""
        if stream:
            content, text = _read(stream, keep=_is_record(path) and member.size <= _LONGEST_TEXT)
            if text is not None:
                texts[path] = text
        elif member.linkname:
            content = f"/{member.linkname.strip('/')}" if member.islnk() else member.linkname
        kind = _KINDS.get(member.type, "other")
        files[path] = File(kind, member.mode & 0o7777, member.uid, member.gid, member.size, content)
        done += member.size
        on_bytes(done)
    return contents_of(files, texts)


def contents_of(files: Mapping[str, File], texts: Mapping[str, str]) -> Contents:
    """The packages in the records `texts`, each with its files. Pure."""
    found = [*debian_packages(texts, files), *python_packages(texts, files)]
    sized = list(_sized(found, files))
    owners: dict[str, list[Package]] = {}
    for package in sized:
        for path in package.files:
            owners.setdefault(path, []).append(package)
    packages = [_carried(package, owners) for package in sized]
    packages.sort(key=lambda package: (package.kind, package.name, package.key))
    release = next((texts[name] for name in _OS_RELEASE if name in texts), "")
    return Contents(files, tuple(packages), distribution_of(release), texts.get(LOCK_IN_IMAGE, ""))


def distribution_of(os_release: str) -> Distribution:
    """The values of os-release(5)."""
    pairs = (line.partition("=") for line in os_release.splitlines() if "=" in line)
    values = {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}
    return Distribution(values.get("ID", ""), values.get("VERSION_ID", ""), values.get("PRETTY_NAME", ""))


def _is_record(path: str) -> bool:
    if path in (STATUS, LOCK_IN_IMAGE, *_OS_RELEASE):
        return True
    if path.startswith(LISTS):
        return path.endswith(".list")
    return path.endswith((METADATA, RECORD)) or (path.startswith(DOCS) and path.endswith("/copyright"))


def _read(stream: IO[bytes], *, keep: bool) -> tuple[str, str | None]:
    digest, kept = hashlib.sha256(), bytearray()
    while piece := stream.read(PIECE):
        digest.update(piece)
        if keep:
            kept += piece
    return digest.hexdigest(), kept.decode("utf-8", "replace") if keep else None


def _sized(packages: Iterable[Package], files: Mapping[str, File]) -> Iterator[Package]:
    """Each with all of its files: `__pycache__/x.cpython-311.pyc` belongs to `x.py`, and packages need not list it."""
    compiled: dict[str, list[str]] = {}
    for path in files:
        if match := _COMPILED.fullmatch(path):
            compiled.setdefault(f"{match[1]}{match[2]}.py", []).append(path)
    for package in packages:
        more = [path for source in package.files for path in compiled.get(source, ())]
        own = tuple(dict.fromkeys((*package.files, *more)))
        yield replace(package, files=own, size=sum(files[path].size for path in own))


def _carried(package: Package, owners: Mapping[str, list[Package]]) -> Package:
    """A distribution whose own records are among another package's files is vendored by that one."""
    if package.kind == DEB:
        return package
    record = next((path for path in package.files if path.endswith(METADATA)), "")
    others = [owner for owner in owners.get(record, ()) if owner.key != package.key]
    return replace(package, carried_by=others[0].key) if others else package

"""Splits the engine's export into blobs on this machine's disk; no layer is ever completely in memory.

Engine 20.10 sends `<id>.json` and `<layer>/layer.tar`, newer ones an OCI layout; both add docker's `manifest.json`,
which describes it. Layers come uncompressed, or are uncompressed here: a layer's digest is its diff ID.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import posixpath
import tarfile
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO

from toolkit.errors import Code, ToolkitError
from toolkit.shipping.oci import DOCKER_FILE, Blob, OciImage
from toolkit.tar.read import PIECE, PieceReader, members

_GZIP = b"\x1f\x8b"
_MOST_LINKS = 100


class Spool:
    """A folder of blobs, each named by its digest's hexadecimal digits; shared ones are stored once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, blob: Blob) -> Path:
        """The blob's path."""
        return self._folder / blob.digest.removeprefix("sha256:")

    def take(self, reference: str, pieces: Iterable[bytes]) -> OciImage:
        """Store the engine's export of `reference`; raises `ToolkitError` (S103) if it contradicts itself."""
        files: dict[str, Blob] = {}
        links: dict[str, str] = {}
        try:
            for name, member, content in members(PieceReader(pieces)):
                if member.issym():  # a layer that occurs twice in the image, sent once
                    links[name] = posixpath.normpath(f"{posixpath.dirname(name)}/{member.linkname}")
                elif member.islnk():
                    links[name] = member.linkname
                elif content:
                    files[name] = self._write(content)
        except tarfile.TarError as error:
            raise _contradiction(reference, str(error)) from None
        return self._image(reference, lambda name: files[_resolved(name, links)])

    def _image(self, reference: str, find: Callable[[str], Blob]) -> OciImage:
        try:
            (entry,) = json.loads(self.path(find(DOCKER_FILE)).read_bytes())
            image = OciImage(reference, find(entry["Config"]), tuple(find(name) for name in entry["Layers"]))
            diff_ids = json.loads(self.path(image.config).read_bytes())["rootfs"]["diff_ids"]
        except (KeyError, ValueError, TypeError) as error:
            raise _contradiction(reference, f"{type(error).__name__}: {error}") from None
        found = [layer.digest for layer in image.layers]
        if found != diff_ids:
            raise _contradiction(reference, f"the configuration names layers {diff_ids}\nit sent {found}")
        return image

    def _write(self, content: IO[bytes]) -> Blob:
        digest, size = hashlib.sha256(), 0
        incoming = self._folder / "incoming"
        with incoming.open("wb") as target:
            for piece in _plain(content):
                target.write(piece)
                digest.update(piece)
                size += len(piece)
        blob = Blob(f"sha256:{digest.hexdigest()}", size)
        incoming.replace(self.path(blob))
        return blob


def _plain(content: IO[bytes]) -> Iterator[bytes]:
    """The bytes, uncompressed."""
    head = content.read(len(_GZIP))
    rest = iter(lambda: content.read(PIECE), b"")
    if head != _GZIP:
        yield head
        yield from rest
        return
    whole = io.BufferedReader(PieceReader(chain([head], rest)))
    with gzip.GzipFile(fileobj=whole) as unpacked:
        yield from iter(lambda: unpacked.read(PIECE), b"")


def _resolved(name: str, links: dict[str, str]) -> str:
    for _ in range(_MOST_LINKS):
        if name not in links:
            break
        name = links[name]
    return name


def _contradiction(reference: str, evidence: str) -> ToolkitError:
    return ToolkitError(
        Code.IMAGE,
        f"the engine did not save all of {reference}",
        evidence=evidence,
        hint="try again; see the engine's log",
    )

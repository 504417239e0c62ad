"""Filters `docker save`'s stream for `docker load`: drops the layers that a host has. Only small documents are
buffered."""

from __future__ import annotations

import hashlib
import json
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO

from toolkit.errors import Code, ToolkitError
from toolkit.shipping.hosts.missing_layers import V1_DOCUMENT, V1_LAYER, LayerNames
from toolkit.shipping.oci import DOCKER_FILE
from toolkit.tar.read import PIECE, PieceReader, members
from toolkit.tar.write import Entry, framed, header, tar_stream

_MAX_DOCUMENT = 4 << 20
OnBytes = Callable[[int, int], None]
"""Called with the number of the layer being sent, from 1, and the size in bytes of a chunk of it."""


class Cut:
    """One image's stream: records what it saw, so that the manifest at the end says what was sent."""

    def __init__(self, image_id: str, diff_ids: Sequence[str], prefix: int, on_bytes: OnBytes) -> None:
        self._image_id, self._diff_ids, self._on_bytes = image_id, tuple(diff_ids), on_bytes
        self._needed = frozenset(diff_ids[prefix:])
        self._names = LayerNames(diff_ids)
        self._links: dict[str, str] = {}
        self._documents: dict[str, bytes] = {}
        self._sent: set[str] = set()

    def pieces(self, saved: Iterable[bytes]) -> Iterator[bytes]:
        """The input for `docker load`; raises `ToolkitError` (S103) if `saved` is not the complete image."""
        try:
            for name, member, content in members(PieceReader(saved)):
                if member.issym():  # a layer that occurs twice in the image, saved once
                    self._links[name] = posixpath.normpath(f"{posixpath.dirname(name)}/{member.linkname}")
                elif content and (name.endswith(V1_LAYER) or self._names.diff_id(name)):
                    if self._is_needed(name):
                        yield from self._layer(name, member.size, content)
                elif content and member.size <= _MAX_DOCUMENT:
                    self._document(name, content.read())
        except tarfile.TarError as error:
            raise self._not_whole(str(error)) from None
        yield from self._end()

    def _is_needed(self, name: str) -> bool:
        """Unknown layers are sent: the engine skips what it has already."""
        diff_id = self._names.diff_id(name)
        return bool(self._needed) and (not diff_id or diff_id in self._needed)

    def _layer(self, name: str, size: int, content: IO[bytes]) -> Iterator[bytes]:
        self._sent.add(name)
        number = len(self._sent)

        def counted() -> Iterator[bytes]:
            while piece := content.read(PIECE):
                self._on_bytes(number, len(piece))
                yield piece

        yield from framed(header(name, size), counted())

    def _document(self, name: str, text: bytes) -> None:
        if name.endswith(V1_DOCUMENT):
            self._names.learn(name, text)
        elif name == DOCKER_FILE or self._image_id.removeprefix("sha256:") in name:
            self._documents[name] = text

    def _end(self) -> Iterator[bytes]:
        """The configuration and the manifest: `docker load` reads them first, wherever they are."""
        try:
            (manifest,) = json.loads(self._documents[DOCKER_FILE])
            config = self._documents[manifest["Config"]]
            layers = [self._links.get(name, name) for name in manifest["Layers"]]
        except (KeyError, ValueError, TypeError) as error:
            raise self._not_whole(f"{type(error).__name__}: {error}") from None
        if f"sha256:{hashlib.sha256(config).hexdigest()}" != self._image_id or len(layers) != len(self._diff_ids):
            raise self._not_whole(f"its configuration is not {self._image_id}")
        wanted = {name for name, diff_id in zip(layers, self._diff_ids, strict=True) if diff_id in self._needed}
        if missing := wanted - self._sent:
            raise self._not_whole(f"it did not send {', '.join(sorted(missing))}")
        shorter = [{"Config": manifest["Config"], "RepoTags": None, "Layers": layers}]
        yield from tar_stream([Entry(manifest["Config"], config), Entry(DOCKER_FILE, json.dumps(shorter).encode())])

    def _not_whole(self, evidence: str) -> ToolkitError:
        return ToolkitError(
            Code.IMAGE,
            f"this machine's engine did not save all of {self._image_id}",
            evidence=evidence,
            hint="try again; see the engine's log",
        )


def compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Compressed by gzip at its fastest level, which every engine's `docker load` decompresses itself."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()

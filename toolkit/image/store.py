"""The images of a local engine: look up, extract layers, load, remove."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.containers.failure import EngineFailure
from toolkit.containers.images_api import EngineImages
from toolkit.errors import Code, ToolkitError
from toolkit.image.config import ImageConfig
from toolkit.image.layer import Layer, LayerWriter
from toolkit.tar.read import PIECE, PieceReader, members
from toolkit.tar.write import Entry, tar_stream

_USTAR_AT = 257
"""The offset of the magic in a tar's first header (POSIX)."""
_UNTAGGED = "<none>:<none>"
"""How an engine lists an image without a name."""
_UNKNOWN_ORIGIN = "a layer of the registry's image"


@dataclass(frozen=True)
class StoredImage:
    """An image of the engine: its ID (digest of its configuration), its size in bytes, its configuration."""

    image_id: str
    size: int
    config: ImageConfig

    @property
    def environment(self) -> tuple[tuple[str, str], ...]:
        """Its variables, by name."""
        return tuple(
            (name, value) for name, _, value in (v.partition("=") for v in self.config.settings.get("Env", ()))
        )

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return self.config.settings.get("Labels") or {}


class ImageStore:
    """The images of the engine on this machine. The connection is opened on first use."""

    def __init__(self) -> None:
        self.engine = EngineImages()

    def find(self, reference: str) -> StoredImage | None:
        """The image, or None if it does not exist."""
        image = self.engine.inspect(reference)
        if image is None:
            return None
        diff_ids = tuple(image["RootFS"].get("Layers") or ())
        created_by = [str(entry.get("CreatedBy", "")) for entry in reversed(self.engine.history(image["Id"]))]
        origins = tuple(created_by) if len(created_by) == len(diff_ids) else (_UNKNOWN_ORIGIN,) * len(diff_ids)
        config = ImageConfig(image["Config"] or {}, diff_ids, origins)
        return StoredImage(str(image["Id"]), int(image["Size"]), config)

    def get(self, reference: str) -> StoredImage:
        """The image; raises `ToolkitError` (S103) if it does not exist."""
        found = self.find(reference)
        if not found:
            raise ToolkitError(Code.IMAGE, f"image {reference} is not here", hint="toolkit build MANIFEST")
        return found

    def pull(self, image: str) -> None:
        """Pull a base from its registry, by digest, unless it exists."""
        if not self.find(image):
            with _translated_errors(f"{image} could not be pulled"):
                for event in self.engine.pull(image):
                    if "error" in event:
                        raise EngineFailure(str(event["error"]))

    def cut(self, image_id: str, roots: Sequence[str], file: Path, origin: str) -> Layer:
        """Write the files at `roots` in the image as a layer to `file`; raises `ToolkitError` (S103)."""
        with _translated_errors(f"the layer of {origin} could not be read"), self._container(image_id) as container:
            writer = LayerWriter(file, origin)
            for root in sorted(roots):
                writer.add_folders_above(root)
                writer.add(PieceReader(self.engine.archive(container, root)), root.strip("/").rpartition("/")[0] + "/")
            return writer.finish()

    def copy_layer(self, image: str, target: Path) -> None:
        """Write the tar of an image's only layer to `target`: the bytes that its diff ID covers."""
        with _translated_errors(f"the layer of {image} could not be read"):
            for _, _, content in members(PieceReader(self.engine.save(image))):
                # `<id>/layer.tar` up to Engine 24, a blob among others in the OCI layout of later ones.
                head = content.read(tarfile.BLOCKSIZE) if content else b""
                if content and head[_USTAR_AT : _USTAR_AT + 5] == b"ustar":
                    with target.open("xb") as file:
                        file.write(head)
                        shutil.copyfileobj(content, file, PIECE)
                    return
        raise ToolkitError(Code.IMAGE, f"{image} has no layer")

    @contextmanager
    def exported(self, image: str) -> Iterator[PieceReader]:
        """The image's complete file system as a tar stream, while the context lasts."""
        with _translated_errors(f"{image} could not be read"), self._container(image) as container:
            yield PieceReader(self.engine.export(container))

    @contextmanager
    def _container(self, image: str) -> Iterator[str]:
        """A container of the image that is never started, for reading."""
        container = self.engine.create_container(image)
        try:
            yield container
        finally:
            self.engine.remove_container(container)

    def load(self, config: ImageConfig, layers: Sequence[Layer]) -> str:
        """Assemble the image from layers that the engine has and `layers` on top of them; returns the image ID.

        It is not tagged yet. Raises `ToolkitError` (S103), also if the engine's ID differs from the configuration's
        SHA-256.
        """
        with _translated_errors("the engine could not load the image"):
            if not self.find(config.image_id):
                for _ in self.engine.load(_archive(config, layers)):
                    pass
            if not self.find(config.image_id):
                raise ToolkitError(
                    Code.IMAGE,
                    f"the engine does not know the image as {config.image_id}",
                    hint="an engine with the containerd image store identifies images differently: "
                    "switch it to overlay2",
                )
        return config.image_id

    def tag(self, image_id: str, reference: str) -> None:
        """Tag the image: from now on everyone can see it."""
        name, _, tag = reference.partition(":")
        with _translated_errors(f"{image_id} could not be tagged {reference}"):
            self.engine.tag(image_id, name, tag)

    def names_in(self, namespace: str) -> list[str]:
        """Every name that begins with `namespace`."""
        names = (name for image in self.engine.each() for name in image.get("RepoTags") or ())
        return sorted(name for name in names if name.startswith(namespace) and name != _UNTAGGED)

    def remove(self, image: str) -> None:
        """Remove a name, or an untagged image; ignored if it does not exist or is in use."""
        with suppress(EngineFailure):
            self.engine.remove(image)


@contextmanager
def _translated_errors(what: str) -> Iterator[None]:
    try:
        yield
    except (EngineFailure, tarfile.TarError) as error:
        full = isinstance(error, EngineFailure) and error.full_disk
        hint = "free some of the engine's disk space (docker system df)" if full else ""
        raise ToolkitError(Code.IMAGE, what, evidence=str(error), hint=hint) from error


def _archive(config: ImageConfig, layers: Sequence[Layer]) -> Iterator[bytes]:
    """`docker load`'s format. Layers that the engine has are named and omitted: it uses its own.

    Only new layers are transferred; the engine looks a layer up by its chain ID before it reads the archive.
    """
    names = [f"{diff_id.removeprefix('sha256:')}/layer.tar" for diff_id in config.diff_ids]
    file = f"{config.image_id.removeprefix('sha256:')}.json"
    manifest: list[dict[str, Any]] = [{"Config": file, "RepoTags": None, "Layers": names}]
    new = zip(names[-len(layers) :] if layers else [], layers, strict=True)
    return tar_stream(
        [
            Entry(file, config.text),
            *(Entry(name, layer.file) for name, layer in new),
            Entry("manifest.json", json.dumps(manifest).encode()),
        ]
    )

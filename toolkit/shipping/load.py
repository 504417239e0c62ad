"""Loads the images of an OCI layout in a tar: everything is checked before anything is passed to the engine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from toolkit.containers.failure import EngineFailure
from toolkit.errors import Code, ToolkitError
from toolkit.image.store import ImageStore
from toolkit.progress import Progress, Report, counted
from toolkit.shipping import oci
from toolkit.shipping.archive import Archive, damaged
from toolkit.tar.write import END, framed, header

_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9.-]{1,200}(?::[0-9]{1,5})?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
)
_Model = TypeVar("_Model", bound=BaseModel)
_Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class _Descriptor(BaseModel):
    mediaType: str
    digest: _Digest
    size: int
    annotations: dict[str, str] = {}


class _Index(BaseModel):
    schemaVersion: Literal[2]
    manifests: Annotated[list[_Descriptor], Field(max_length=1000)]


class _Manifest(BaseModel):
    config: _Descriptor
    layers: list[_Descriptor]


class _RootFs(BaseModel):
    diff_ids: list[_Digest]


class _Config(BaseModel):
    rootfs: _RootFs


@dataclass(frozen=True)
class ShippedImage:
    """An image of a checked file: its name, its ID, its manifest's digest, its layers' digests from the lowest up."""

    reference: str
    image_id: str
    manifest: str
    layers: tuple[str, ...]


@dataclass(frozen=True)
class LoadedImage:
    """An image that the engine has now; `fresh` if it did not exist before."""

    reference: str
    image_id: str
    fresh: bool


def check_digests(archive: Archive, report: Report) -> dict[str, str]:
    """The SHA-256 of every file in `archive` by name; raises `ToolkitError` (S103) for a blob with another digest."""
    total, done, name = sum(member.size for member in archive.members.values()), 0, ""

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        report(Progress("checking", name.rpartition("/")[2], done, total, "bytes"))

    found = {}
    for name in archive.members:
        found[name] = archive.digest(name, on_bytes)
        if name.startswith(oci.BLOBS) and name != oci.BLOBS + found[name]:
            raise damaged(archive.file, f"{name}\nhas the SHA-256 {found[name]}")
    return found


def read_layout(archive: Archive) -> tuple[ShippedImage, ...]:
    """The images of a layout with verified blobs; raises `ToolkitError` (S103) if its documents disagree."""
    if oci.LAYOUT_FILE not in archive.members:
        raise damaged(archive.file, f"it has no {oci.LAYOUT_FILE}; use `docker load` for a file from `docker save`")
    index = _parsed(archive, oci.INDEX_FILE, _Index)
    images = tuple(_image(archive, descriptor) for descriptor in index.manifests)
    if len({image.reference for image in images}) < len(images):
        raise damaged(archive.file, "two of its images have the same name")
    if oci.DOCKER_FILE in archive.members:
        _check_docker_manifest(archive, images)
    return images


def load_images(
    archive: Archive, images: Sequence[ShippedImage], store: ImageStore, report: Report
) -> tuple[LoadedImage, ...]:
    """Load the missing ones of `images` into the engine.

    Raises `ToolkitError` (S103) if a name belongs to another image here (then nothing was loaded), and if the engine
    does not end up with the file's IDs.
    """
    missing = [image for image in images if _missing(archive, image, store)]
    if missing:
        _send(archive, missing, store, report)
    for image in missing:
        if _missing(archive, image, store):
            raise _refused(archive, f"it accepted the file, but has no {image.reference}")
    return tuple(LoadedImage(image.reference, image.image_id, image in missing) for image in images)


def _missing(archive: Archive, image: ShippedImage, store: ImageStore) -> bool:
    """Whether the engine lacks the image; raises `ToolkitError` (S103) if it has another one by that name."""
    found = store.find(image.reference)
    # An engine with the containerd image store identifies an image by its manifest's digest.
    if found and found.image_id not in (image.image_id, image.manifest):
        raise ToolkitError(
            Code.IMAGE,
            f"the engine has a different {image.reference} than {archive.file}",
            evidence=f"in the engine {found.image_id}\nin the file   {image.image_id}",
            hint=f"to use the file's, run `docker rmi {image.reference}` and load again",
        )
    return found is None


def _send(archive: Archive, images: Sequence[ShippedImage], store: ImageStore, report: Report) -> None:
    names = {oci.blob_name(digest) for image in images for digest in (image.manifest, image.image_id, *image.layers)}
    total = sum(archive.members[name].size for name in names)
    pieces = counted(_layout(archive, images, sorted(names)), report, "loading", images[-1].reference, total)
    try:
        for event in store.engine.load(pieces):
            if "error" in event:
                raise _refused(archive, str(event["error"]))
    except EngineFailure as error:
        raise _refused(archive, str(error)) from error


def _layout(archive: Archive, images: Sequence[ShippedImage], blobs: Sequence[str]) -> Iterator[bytes]:
    """The engine's input: documents of ours, and from the file only blobs whose digest was compared."""
    manifests = [oci.Blob(image.manifest, archive.members[oci.blob_name(image.manifest)].size) for image in images]
    index = oci.index((image.reference, manifest) for image, manifest in zip(images, manifests, strict=True))
    documents = {oci.LAYOUT_FILE: oci.LAYOUT, oci.INDEX_FILE: index, oci.DOCKER_FILE: _docker_manifest(images)}
    for name, text in documents.items():
        yield from framed(header(name, len(text)), [text])
    for name in blobs:
        yield from framed(header(name, archive.members[name].size), archive.pieces(name))
    yield END


def _docker_manifest(images: Sequence[ShippedImage]) -> bytes:
    return oci.docker_manifest((image.reference, image.image_id, image.layers) for image in images)


def _image(archive: Archive, descriptor: _Descriptor) -> ShippedImage:
    if descriptor.mediaType != oci.MANIFEST_TYPE:
        raise damaged(archive.file, f"its index names a {descriptor.mediaType}: only single images are read")
    reference = _reference(archive, descriptor.annotations)
    manifest = _parsed(archive, oci.blob_name(descriptor.digest), _Manifest)
    for blob in (descriptor, manifest.config, *manifest.layers):
        member = archive.members.get(oci.blob_name(blob.digest))
        if member is None or member.size != blob.size:
            raise damaged(archive.file, f"{reference} needs {blob.digest}, which is not there")
    config = _parsed(archive, oci.blob_name(manifest.config.digest), _Config)
    layers = tuple(layer.digest for layer in manifest.layers)
    plain = all(layer.mediaType == oci.LAYER_TYPE for layer in manifest.layers)
    # A compressed layer's digest does not cover its uncompressed contents; the engine itself compares those.
    if len(layers) != len(config.rootfs.diff_ids) or (plain and list(layers) != config.rootfs.diff_ids):
        raise damaged(archive.file, f"{reference}: its layers are not those that its configuration names")
    return ShippedImage(reference, manifest.config.digest, descriptor.digest, layers)


def _reference(archive: Archive, annotations: dict[str, str]) -> str:
    """The image's name, from either of the two annotations; if there are both, they must agree."""
    name, full = annotations.get(oci.REF_NAME, ""), annotations.get(oci.CONTAINERD_NAME, "")
    if full and name and full not in (oci.full_name(name), f"{full.rpartition(':')[0]}:{name}"):
        raise damaged(archive.file, f"an image is called both {name!r} and {full!r}")
    reference = oci.short_name(full) if full else name
    if not _REFERENCE.fullmatch(reference):
        raise damaged(archive.file, f"{reference!r} is not an image name and version")
    return reference


def _check_docker_manifest(archive: Archive, images: Sequence[ShippedImage]) -> None:
    """Both documents describe the layout: if one was changed, it differs from the other."""
    try:
        entries = json.loads(archive.document(oci.DOCKER_FILE))
        named = sorted(
            (tag, entry["Config"], entry["Layers"]) for entry in entries for tag in entry["RepoTags"] or [""]
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        raise damaged(archive.file, f"{oci.DOCKER_FILE} cannot be read") from None
    expected = json.loads(_docker_manifest(images))
    if named != [(entry["RepoTags"][0], entry["Config"], entry["Layers"]) for entry in expected]:
        raise damaged(archive.file, f"{oci.INDEX_FILE} and {oci.DOCKER_FILE} do not agree")


def _parsed(archive: Archive, name: str, model: type[_Model]) -> _Model:
    try:
        return model.model_validate_json(archive.document(name))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise damaged(archive.file, f"{name}: {where} {first['msg']}") from None


def _refused(archive: Archive, said: str) -> ToolkitError:
    full = "no space left" in said
    return ToolkitError(
        Code.IMAGE,
        f"the engine refused the images of {archive.file}",
        evidence=said,
        hint="free some of the engine's disk space (docker system df)" if full else "",
    )

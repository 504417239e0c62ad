"""Saves images of the engine to one file, whose bytes depend only on the images."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolkit.containers.failure import EngineFailure
from toolkit.errors import Code, ToolkitError
from toolkit.image.store import ImageStore
from toolkit.progress import Progress, Report, counted
from toolkit.shipping.oci import DOCKER_FILE, INDEX_FILE, LAYOUT, LAYOUT_FILE, Blob, OciImage, docker_manifest, index
from toolkit.shipping.output_file import full_disk_translated, new_file
from toolkit.shipping.spool import Spool
from toolkit.tar.write import Entry, tar_stream


@dataclass(frozen=True)
class Saved:
    """What was written: the file, its size in bytes, its images."""

    file: Path
    size: int
    images: tuple[OciImage, ...]


def save_images(references: Sequence[str], target: Path, store: ImageStore, report: Report) -> Saved:
    """Write the images to `target` as an OCI layout with docker's `manifest.json`.

    Raises `ToolkitError`: S103 for a missing image, S100 for a full disk; then there is no `target`.
    """
    check_here(references, store)
    with new_file(target) as stream, spooled(references, target.absolute().parent, store, report) as (images, spool):
        total = sum(layer.size for layer in {layer for image in images for layer in image.layers})
        stream.writelines(counted(tar_stream(layout_entries(images, spool)), report, "writing", target.name, total))
    return Saved(target, target.stat().st_size, images)


def check_here(references: Sequence[str], store: ImageStore) -> None:
    """Check that the engine has all of them; raises `ToolkitError` (S103) for the first that is missing."""
    for reference in references:
        store.get(reference)


@contextmanager
def spooled(
    references: Sequence[str], folder: Path, store: ImageStore, report: Report
) -> Iterator[tuple[tuple[OciImage, ...], Spool]]:
    """The images' blobs, in a hidden folder below `folder` that is removed afterwards."""
    with full_disk_translated(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".toolkit-") as scratch:
        spool = Spool(Path(scratch))
        yield tuple(_take(name, spool, store, report) for name in sorted(set(references))), spool


def layout_documents(images: Sequence[OciImage]) -> dict[str, bytes]:
    """The layout's files other than blobs, by name."""
    return {
        LAYOUT_FILE: LAYOUT,
        INDEX_FILE: index((image.reference, image.manifest_blob) for image in images),
        DOCKER_FILE: docker_manifest(
            (image.reference, image.image_id, [layer.digest for layer in image.layers]) for image in images
        ),
    }


def layout_blobs(images: Sequence[OciImage]) -> list[Blob]:
    """Every blob of the layout once, sorted by name."""
    return sorted({blob for image in images for blob in (image.manifest_blob, image.config, *image.layers)})


def layout_entries(images: Sequence[OciImage], spool: Spool) -> Iterator[Entry]:
    """The layout's files in a fixed order. Each blob is removed from the spool once it is written, to save disk
    space."""
    for name, text in layout_documents(images).items():
        yield Entry(name, text)
    manifests = {image.manifest_blob: image.manifest for image in images}
    for blob in layout_blobs(images):
        if blob in manifests:
            yield Entry(blob.name, manifests[blob])
        else:
            yield Entry(blob.name, spool.path(blob))
            spool.path(blob).unlink()


def _take(reference: str, spool: Spool, store: ImageStore, report: Report) -> OciImage:
    size = store.get(reference).size
    report(Progress("saving", reference, 0, size, "bytes"))
    try:
        return spool.take(reference, counted(store.engine.save(reference), report, "saving", reference, size))
    except EngineFailure as error:
        raise ToolkitError(Code.IMAGE, f"the engine could not save {reference}", evidence=str(error)) from error

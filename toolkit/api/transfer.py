"""Save images to a file, push them to a registry, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolkit.api.references import reference_of
from toolkit.catalogue.choose import CPU
from toolkit.errors import Code, ToolkitError
from toolkit.image.store import ImageStore
from toolkit.progress import Report, silent
from toolkit.shipping import load, registry, save
from toolkit.shipping.apptainer import save_sif
from toolkit.shipping.archive import read_archive
from toolkit.shipping.load import LoadedImage
from toolkit.shipping.registry import Pulled, Pushed
from toolkit.shipping.save import Saved


def save_images(images: Sequence[str], file: str | Path, *, flavour: str = CPU, report: Report = silent) -> Saved:
    """Write images to one OCI archive. `images` are references, or manifests.

    Raises:
        ToolkitError: S103 if an image is not here; an unfinished file is removed.

    Example:
        >>> api.save_images(["manifest.yml"], "mnist.tar").size
    """
    references = [reference_of(word, flavour) for word in images]
    return save.save_images(references, Path(file), ImageStore(), report)


def save_as_sif(
    images: Sequence[str], file: str | Path, *, flavour: str = CPU, report: Report = silent
) -> tuple[str, int]:
    """Write one image as a SIF file (needs Apptainer or Singularity); returns its reference and bytes.

    Raises:
        ToolkitError: C104 for more than one image, S103 if it is not here or cannot be converted.

    Example:
        >>> api.save_as_sif(["manifest.yml"], "mnist.sif")
    """
    if len(images) != 1:
        raise ToolkitError(
            Code.RESOURCES_ASKED, "a SIF file holds one image", hint="toolkit save --apptainer REF -o FILE"
        )
    reference = reference_of(images[0], flavour)
    return reference, save_sif(reference, Path(file), ImageStore(), report)


def load_images(file: str | Path, *, report: Report = silent) -> tuple[LoadedImage, ...]:
    """Load the images of an archive into this machine's engine, after verifying every digest.

    Raises:
        ToolkitError: S103 for a damaged file.

    Example:
        >>> [image.reference for image in api.load_images("mnist.tar")]
    """
    archive = read_archive(Path(file))
    load.check_digests(archive, report)
    return tuple(load.load_images(archive, load.read_layout(archive), ImageStore(), report))


def push_image(image: str, to: str, *, flavour: str = CPU, report: Report = silent) -> tuple[str, Pushed]:
    """Push an image (a reference, or a manifest) to `HOST:PORT/NAME`, under its own version.

    Returns its reference here, and what was pushed.

    Raises:
        ToolkitError: C104 for an invalid address, S103 if the registry refuses it.

    Example:
        >>> api.push_image("manifest.yml", "registry.example.org:5000/team/mnist")
    """
    reference = reference_of(image, flavour)
    address = registry.address_of(to, tag=reference.rpartition(":")[2])
    return reference, registry.push(reference, address, ImageStore(), report)


def pull_image(address: str, *, report: Report = silent) -> Pulled:
    """Pull `HOST:PORT/NAME:TAG`, verify it against its tag, and tag it with the name that a launch uses.

    Raises:
        ToolkitError: C104 for an invalid address, S103 if the image is not what its tag says.

    Example:
        >>> api.pull_image("registry.example.org:5000/team/mnist:0d15470bd61c").image_id
    """
    return registry.pull(registry.address_of(address), ImageStore(), report)

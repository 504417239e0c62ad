"""An image's documents: SBOM, licences, provenance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from toolkit.api.images import contents_of
from toolkit.image.store import ImageStore
from toolkit.inventory.images import EngineImage, engine_images, pick
from toolkit.paths import cache
from toolkit.progress import Report, silent
from toolkit.sbom.cyclonedx import cyclonedx_document
from toolkit.sbom.licence_list import LicenceLine, licence_lines
from toolkit.sbom.provenance import provenance, read_run
from toolkit.sbom.spdx import spdx_document
from toolkit.sbom.subject import Subject
from toolkit.sbom.write import PROVENANCE, sbom_folder

Form = Literal["spdx", "cyclonedx", "provenance"]


@dataclass(frozen=True)
class Document:
    """A document about an image, as text."""

    image: EngineImage
    text: str


def image_document(reference: str, form: Form, *, report: Report = silent) -> Document:
    """The SBOM (`spdx`, `cyclonedx`) or the SLSA `provenance` of an image, in JSON.

    Provenance has the times of the build if the image was built on this machine.

    Raises:
        ToolkitError: S103 if no image, or more than one, matches.

    Example:
        >>> api.image_document("tensorflow-ddl-2.19-py3.11-cpu", "spdx").text
    """
    subject = _subject(reference, report)
    match form:
        case "spdx":
            text = spdx_document(subject)
        case "cyclonedx":
            text = cyclonedx_document(subject)
        case "provenance":
            file = sbom_folder(cache(), subject.image) / PROVENANCE
            run_here = read_run(file.read_text("utf-8")) if file.is_file() else None
            text = provenance(subject.image, subject.downloads.lock, subject.distribution, run_here)
    return Document(subject.image, text)


def image_licences(reference: str, *, report: Report = silent) -> tuple[EngineImage, tuple[LicenceLine, ...]]:
    """The image, and the licence of each of its packages.

    Example:
        >>> image, lines = api.image_licences("tensorflow-ddl-2.19-py3.11-cpu")
    """
    subject = _subject(reference, report)
    return subject.image, licence_lines(subject.contents)


def _subject(reference: str, report: Report) -> Subject:
    store = ImageStore()
    image = pick(reference, engine_images(store))
    return Subject(image, contents_of(store, image, report))

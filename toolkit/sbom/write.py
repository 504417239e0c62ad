"""An image's documents as files, outside the image: their times and machines must not be part of its bits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from toolkit.atomic_file import write_whole
from toolkit.inventory.images import EngineImage
from toolkit.paths import private_folder
from toolkit.sbom.cyclonedx import cyclonedx_document
from toolkit.sbom.licence_list import licence_lines, licence_text
from toolkit.sbom.provenance import BuildRun, provenance
from toolkit.sbom.spdx import spdx_document
from toolkit.sbom.subject import Subject

PROVENANCE = "provenance.json"
"""The only document that differs when the same image is built again: it contains the time of the build."""


def sbom_folder(cache: Path, image: EngineImage) -> Path:
    """The folder of the image's documents: `<cache>/documents/<image id>`."""
    return cache / "documents" / image.image_id.removeprefix("sha256:")


def sbom_files(subject: Subject, run: BuildRun | None = None) -> Mapping[str, str]:
    """Each document's file name and text; all except the provenance depend only on the image. Pure."""
    lines = licence_lines(subject.contents)
    return {
        "sbom.spdx.json": spdx_document(subject),
        "sbom.cdx.json": cyclonedx_document(subject),
        "licences.txt": licence_text(lines),
        "licences.json": json.dumps([asdict(line) for line in lines], indent=1, ensure_ascii=False) + "\n",
        PROVENANCE: provenance(subject.image, subject.downloads.lock, subject.distribution, run),
    }


def write_sbom_files(documents: Mapping[str, str], folder: Path) -> None:
    """Write `documents` to `folder`, each file completely or not at all."""
    private_folder(folder)
    for name, text in documents.items():
        write_whole(folder / name, text.encode())

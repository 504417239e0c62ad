"""An image's documents as files, apart from the image: what they tell of times and machines is none of its bits."""

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
"""The only one of the documents that a second building of the same image writes otherwise: it tells when that was."""


def sbom_folder(cache: Path, image: EngineImage) -> Path:
    """Where the image's documents lie: `<cache>/documents/<image id>`."""
    return cache / "documents" / image.image_id.removeprefix("sha256:")


def sbom_files(subject: Subject, run: BuildRun | None = None) -> Mapping[str, str]:
    """Every paper's file name and text; all but the provenance depend on the image alone. Pure."""
    lines = licence_lines(subject.contents)
    return {
        "sbom.spdx.json": spdx_document(subject),
        "sbom.cdx.json": cyclonedx_document(subject),
        "licences.txt": licence_text(lines),
        "licences.json": json.dumps([asdict(line) for line in lines], indent=1, ensure_ascii=False) + "\n",
        PROVENANCE: provenance(subject.image, subject.downloads.lock, subject.distribution, run),
    }


def write_sbom_files(documents: Mapping[str, str], folder: Path) -> None:
    """Write `documents` into `folder`, each file whole or not at all."""
    private_folder(folder)
    for name, text in documents.items():
        write_whole(folder / name, text.encode())

"""`toolkit images sbom | licences | provenance REF`: an image's documents."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from toolkit.atomic_file import write_output
from toolkit.cli.images import contents_of, facts
from toolkit.cli.output import console, print_json
from toolkit.image.store import ImageStore
from toolkit.inventory.images import engine_images, pick
from toolkit.paths import cache
from toolkit.sbom.cyclonedx import cyclonedx_document
from toolkit.sbom.licence_list import licence_lines, licence_text
from toolkit.sbom.provenance import provenance, read_run
from toolkit.sbom.spdx import spdx_document
from toolkit.sbom.subject import Subject
from toolkit.sbom.write import PROVENANCE, sbom_folder

SBOM = {"spdx": spdx_document, "cyclonedx": cyclonedx_document}


def run(arguments: argparse.Namespace) -> int:
    """Print the paper, or write it to the file that is named."""
    store = ImageStore()
    image = pick(arguments.reference, engine_images(store))
    subject = Subject(image, contents_of(store, image))
    if arguments.act == "licences":
        return _licences(subject, arguments)
    text = SBOM[arguments.form](subject) if arguments.act == "sbom" else _provenance(subject)
    if not arguments.output:
        print(text, end="")
        return 0
    write_output(Path(arguments.output), text.encode())
    console.print(f"{image.reference}: {arguments.output}", soft_wrap=True)
    if arguments.json:
        print_json({**facts(image), "file": arguments.output})
    return 0


def _licences(subject: Subject, arguments: argparse.Namespace) -> int:
    lines = licence_lines(subject.contents)
    if arguments.json:
        print_json({**facts(subject.image), "packages": [asdict(line) for line in lines]})
    else:
        print(licence_text(lines), end="")
    return 0


def _provenance(subject: Subject) -> str:
    """With the times of its building where it was built here."""
    file = sbom_folder(cache(), subject.image) / PROVENANCE
    run_here = read_run(file.read_text("utf-8")) if file.is_file() else None
    return provenance(subject.image, subject.downloads.lock, subject.distribution, run_here)

"""`toolkit images sbom | licences | provenance REF`: an image's documents."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from toolkit.api.documents import Form, image_document, image_licences
from toolkit.atomic_file import write_output
from toolkit.cli.images import facts
from toolkit.cli.output import print_json, progress_bar, say
from toolkit.sbom.licence_list import licence_text


def run(arguments: argparse.Namespace) -> int:
    """Print the document, or write it to a file."""
    if arguments.act == "licences":
        return _licences(arguments)
    form: Form = arguments.form if arguments.act == "sbom" else "provenance"
    with progress_bar() as report:
        document = image_document(arguments.reference, form, report=report)
    if not arguments.output:
        print(document.text, end="")
        return 0
    write_output(Path(arguments.output), document.text.encode())
    say(f"{document.image.reference}: {arguments.output}")
    if arguments.json:
        print_json({**facts(document.image), "file": arguments.output})
    return 0


def _licences(arguments: argparse.Namespace) -> int:
    with progress_bar() as report:
        image, lines = image_licences(arguments.reference, report=report)
    if arguments.json:
        print_json({**facts(image), "packages": [asdict(line) for line in lines]})
    else:
        print(licence_text(lines), end="")
    return 0

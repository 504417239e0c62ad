"""`toolkit save REF… -o FILE`."""

from __future__ import annotations

import argparse
from pathlib import Path

from toolkit.cli.named import reference_of
from toolkit.cli.output import console, human_size, print_json, progress_bar
from toolkit.errors import Code, ToolkitError
from toolkit.image.store import ImageStore
from toolkit.shipping.apptainer import save_sif
from toolkit.shipping.save import save_images


def run(arguments: argparse.Namespace) -> int:
    """Write the images to one file."""
    references, target, store = (
        [reference_of(word, arguments.flavour) for word in arguments.image],
        Path(arguments.output),
        ImageStore(),
    )
    if arguments.apptainer:
        return _apptainer(references, target, store, as_json=arguments.json)
    with progress_bar() as report:
        saved = save_images(references, target, store, report)
    if arguments.json:
        images = [{"reference": image.reference, "id": image.image_id} for image in saved.images]
        print_json({"file": str(saved.file), "bytes": saved.size, "images": images})
    for image in saved.images:
        console.print(f"{image.reference}\n  {image.image_id}", soft_wrap=True)
    console.print(f"{saved.file}  {human_size(saved.size)}", soft_wrap=True)
    return 0


def _apptainer(references: list[str], target: Path, store: ImageStore, *, as_json: bool) -> int:
    if len(references) != 1:
        raise ToolkitError(
            Code.RESOURCES_ASKED, "a SIF file holds one image", hint="toolkit save --apptainer REF -o FILE"
        )
    with progress_bar() as report:
        size = save_sif(references[0], target, store, report)
    if as_json:
        print_json({"file": str(target), "bytes": size, "images": [{"reference": references[0]}]})
    console.print(f"{references[0]}\n{target}  {human_size(size)}", soft_wrap=True)
    return 0

"""`toolkit save REF… -o FILE`."""

from __future__ import annotations

import argparse

from toolkit.api.transfer import save_as_sif, save_images
from toolkit.cli.output import human_size, print_json, progress_bar, say


def run(arguments: argparse.Namespace) -> int:
    """Write the images to one file."""
    if arguments.apptainer:
        return _apptainer(arguments)
    with progress_bar() as report:
        saved = save_images(arguments.image, arguments.output, flavour=arguments.flavour, report=report)
    if arguments.json:
        images = [{"reference": image.reference, "id": image.image_id} for image in saved.images]
        print_json({"file": str(saved.file), "bytes": saved.size, "images": images})
    for image in saved.images:
        say(f"{image.reference}\n  {image.image_id}")
    say(f"{saved.file}  {human_size(saved.size)}")
    return 0


def _apptainer(arguments: argparse.Namespace) -> int:
    with progress_bar() as report:
        reference, size = save_as_sif(arguments.image, arguments.output, flavour=arguments.flavour, report=report)
    if arguments.json:
        print_json({"file": arguments.output, "bytes": size, "images": [{"reference": reference}]})
    say(f"{reference}\n{arguments.output}  {human_size(size)}")
    return 0

"""`toolkit load FILE`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from toolkit.api.transfer import load_images
from toolkit.cli.output import print_json, progress_bar, say
from toolkit.shipping.load import LoadedImage


def run(arguments: argparse.Namespace) -> int:
    """Verify the file, then load its images into the engine."""
    with progress_bar() as report:
        loaded = load_images(arguments.file, report=report)
    if arguments.json:
        print_json({"images": facts(loaded)})
    show(loaded)
    return 0


def facts(loaded: Sequence[LoadedImage]) -> list[dict[str, object]]:
    """The images for `--json`."""
    return [{"reference": image.reference, "id": image.image_id, "loaded_now": image.fresh} for image in loaded]


def show(loaded: Sequence[LoadedImage]) -> None:
    """Print the images."""
    for image in loaded:
        say(f"{image.reference}  {'loaded' if image.fresh else 'already here'}")
        say(f"  {image.image_id}")

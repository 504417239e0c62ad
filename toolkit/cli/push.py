"""`toolkit push MANIFEST|REF --to HOST:PORT/NAME`."""

from __future__ import annotations

import argparse

from toolkit.cli.named import reference_of
from toolkit.cli.output import console, print_json, progress_bar
from toolkit.image.store import ImageStore
from toolkit.shipping.registry import address_of, push


def run(arguments: argparse.Namespace) -> int:
    """Give the image to a registry, under its own version."""
    reference = reference_of(arguments.image, arguments.flavour)
    address = address_of(arguments.to, tag=reference.rpartition(":")[2])
    with progress_bar() as report:
        pushed = push(reference, address, ImageStore(), report)
    if arguments.json:
        print_json({"address": str(address), "digest": pushed.digest, "id": pushed.image_id})
    console.print(f"{reference}\n  {pushed.image_id}", soft_wrap=True)
    console.print(f"{address}\n  {pushed.digest}\nelsewhere: toolkit pull {address}", soft_wrap=True)
    return 0

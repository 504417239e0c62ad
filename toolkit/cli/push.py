"""`toolkit push MANIFEST|REF --to HOST:PORT/NAME`."""

from __future__ import annotations

import argparse

from toolkit.api.transfer import push_image
from toolkit.cli.output import console, print_json, progress_bar


def run(arguments: argparse.Namespace) -> int:
    """Push the image to a registry, under its own version."""
    with progress_bar() as report:
        reference, pushed = push_image(arguments.image, arguments.to, flavour=arguments.flavour, report=report)
    address = pushed.address
    if arguments.json:
        print_json({"address": str(address), "digest": pushed.digest, "id": pushed.image_id})
    console.print(f"{reference}\n  {pushed.image_id}", soft_wrap=True)
    console.print(f"{address}\n  {pushed.digest}\non another machine: toolkit pull {address}", soft_wrap=True)
    return 0

"""`toolkit push MANIFEST|REF --to HOST:PORT/NAME`."""

from __future__ import annotations

import argparse

from toolkit.api.transfer import push_image
from toolkit.cli.output import print_json, progress_bar, say


def run(arguments: argparse.Namespace) -> int:
    """Push the image to a registry, under its own version."""
    with progress_bar() as report:
        reference, pushed = push_image(arguments.image, arguments.to, flavour=arguments.flavour, report=report)
    address = pushed.address
    if arguments.json:
        print_json({"address": str(address), "digest": pushed.digest, "id": pushed.image_id})
    say(f"{reference}\n  {pushed.image_id}")
    say(f"{address}\n  {pushed.digest}\non another machine: toolkit pull {address}")
    return 0

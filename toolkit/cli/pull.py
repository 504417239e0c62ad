"""`toolkit pull HOST:PORT/NAME:TAG`."""

from __future__ import annotations

import argparse

from toolkit.api.transfer import pull_image
from toolkit.cli.output import print_json, progress_bar, say


def run(arguments: argparse.Namespace) -> int:
    """Pull the image, verify it against its tag, and tag it with the name that a launch uses."""
    with progress_bar() as report:
        pulled = pull_image(arguments.address, report=report)
    address = pulled.address
    if arguments.json:
        print_json({"address": str(address), "reference": pulled.reference or None, "id": pulled.image_id})
    say(f"{address}\n  {pulled.image_id}")
    if pulled.reference:
        say(f"{pulled.reference}: labels match the tag")
    else:
        say("it has no labels of the tool: nothing to compare with")
    return 0

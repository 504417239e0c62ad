"""`toolkit frameworks`: what the catalogue offers, with the Python, CUDA and GPUs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from toolkit.api.frameworks import Offered, list_frameworks
from toolkit.cli.columns import columns
from toolkit.cli.output import print_json


def run(arguments: argparse.Namespace) -> int:
    """A line for each framework, version and Python."""
    found = list_frameworks(arguments.name or "")
    if arguments.json:
        print_json({"frameworks": [asdict(one) for one in found]})
    else:
        print("\n".join(lines(found)))
    return 0


def lines(found: Sequence[Offered]) -> Iterator[str]:
    """The table for display."""
    rows = [
        (
            one.framework,
            one.version,
            one.python,
            ", ".join(one.flavours),
            one.cuda or "-",
            (", ".join(one.gpus) or "-") + (f"  (needs the site's bundle {one.needs})" if one.needs else ""),
        )
        for one in found
    ]
    return columns(("FRAMEWORK", "VERSION", "PYTHON", "IMAGES", "CUDA", "GPUS"), rows)

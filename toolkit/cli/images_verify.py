"""`toolkit images verify REF`: rebuild an image from scratch, and show the differences."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from toolkit.api.verification import verify_image
from toolkit.cli.output import console, print_json, progress_bar
from toolkit.image.verify import Difference

_MOST_SHOWN = 50
DIFFERENT = 3


def run(arguments: argparse.Namespace) -> int:
    """Build, compare IDs; if they differ, compare every file."""
    with progress_bar() as report:
        found = verify_image(arguments.reference, builder=arguments.builder, report=report)
    if arguments.json:
        differences = [*found.settings, *(asdict(file) for file in found.files)]
        same = {"image": found.image_id, "again": found.again, "same": found.same}
        print_json({**same, "differences": differences})
    console.print(f"rebuilt from scratch: {found.again}", soft_wrap=True)
    if found.same:
        console.print(f"{found.reference} is bit-identical", style="green", soft_wrap=True)
        return 0
    count = len(found.files)
    console.print(f"{found.reference} is {found.image_id}: {count} files differ", style="red", soft_wrap=True)
    for line in [*found.settings, *map(_line, found.files[:_MOST_SHOWN])]:
        console.print(f"  {line}", soft_wrap=True)
    if count > _MOST_SHOWN:
        console.print(f"  and {count - _MOST_SHOWN} more: --json lists all")
    return DIFFERENT


def _line(file: Difference) -> str:
    return f"{file.path}: {'; '.join(file.kinds)}\n      {file.instruction}"

"""`toolkit images verify REF`: rebuild an image from scratch, and show the differences."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from toolkit.api.verification import verify_image
from toolkit.cli.console import console
from toolkit.cli.output import print_json, progress_bar, say

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
    say(f"rebuilt from scratch: {found.again}")
    if found.same:
        say(f"{found.reference} is bit-identical", "green")
        return 0
    count = len(found.files)
    say(f"{found.reference} is {found.image_id}: {count} files differ", "red")
    for line in found.settings:
        say(f"  {line}")
    for file in found.files[:_MOST_SHOWN]:
        say(f"  {file.path}: {'; '.join(file.kinds)}\n      {file.instruction}")
    if count > _MOST_SHOWN:
        console.print(f"  and {count - _MOST_SHOWN} more: --json lists all")
    return DIFFERENT

"""`toolkit clean`."""

from __future__ import annotations

import argparse

from toolkit.api.runs import clean_hosts
from toolkit.cli.console import console
from toolkit.cli.output import print_json, say
from toolkit.errors import Code, ToolkitError


def run(arguments: argparse.Namespace) -> int:
    """Remove leftovers of runs from a cluster's hosts; unsaved results are kept and listed."""
    cluster, found = clean_hosts(arguments.cluster, orphans=arguments.orphans)
    if arguments.json:
        print_json({name: [vars(one) for one in getattr(found, name)] for name in ("removed", "kept", "failed")})
    for one in found.removed:
        say(f"{one.host}: {one.run}: removed: {one.what}")
    for one in found.kept:
        say(f"{one.host}: {one.run}: kept: {one.what}", "yellow")
    for one in found.failed:
        say(f"{one.host}: {one.run}: {one.what}", "red")
    if not any((found.removed, found.kept, found.failed)):
        console.print(f"nothing left on {cluster}")
    if found.failed:
        raise ToolkitError(
            Code.RESOURCES, "not everything could be removed", hint="run toolkit doctor, then clean again"
        )
    return 0

"""`toolkit clean`."""

from __future__ import annotations

import argparse
from pathlib import Path

from toolkit.cli.output import console, print_json
from toolkit.cluster.reader import read_cluster
from toolkit.errors import Code, ToolkitError
from toolkit.paths import home, house
from toolkit.run.finish.clean import clean
from toolkit.run.records.record_store import Records


def run(arguments: argparse.Namespace) -> int:
    """Remove what runs have left on a cluster's hosts; what is in no bucket is kept and named."""
    cluster = read_cluster(Path(arguments.cluster) if arguments.cluster else house() / "clusters" / "local.yml")
    found = clean(cluster, Records(home()), orphans=arguments.orphans)
    if arguments.json:
        print_json({name: [vars(one) for one in getattr(found, name)] for name in ("removed", "kept", "failed")})
    for one in found.removed:
        console.print(f"{one.host}: {one.run}: removed: {one.what}", soft_wrap=True)
    for one in found.kept:
        console.print(f"{one.host}: {one.run}: kept: {one.what}", style="yellow", soft_wrap=True)
    for one in found.failed:
        console.print(f"{one.host}: {one.run}: {one.what}", style="red", soft_wrap=True)
    if not any((found.removed, found.kept, found.failed)):
        console.print(f"nothing is left on {cluster.name}")
    if found.failed:
        raise ToolkitError(Code.RESOURCES, "not everything could be removed", hint="toolkit doctor, then clean again")
    return 0

"""`toolkit checkpoints TRAINING_ID`."""

from __future__ import annotations

import argparse
import datetime
from dataclasses import asdict

from toolkit.api.checkpoints import list_checkpoints
from toolkit.api.records import find_run
from toolkit.cli.columns import columns
from toolkit.cli.output import human_size, print_json, say
from toolkit.run.records.checkpoints import Checkpoint

_TITLES = ("NUMBER", "FORMAT", "PATH", "FILES", "SIZE", "TIME", "COMPLETE")


def run(arguments: argparse.Namespace) -> int:
    """List the checkpoints that a run wrote."""
    record = find_run(arguments.training_id)
    found = list_checkpoints(record)
    if arguments.json:
        print_json({"training_id": record.training_id, "checkpoints": [asdict(one) for one in found]})
        return 0
    if not found:
        say(f"{record.training_id} has no checkpoints in {record.results_place}")
        return 0
    rows = [row(one, record.training_id) for one in found]
    print("\n".join(columns(_TITLES, rows, right=("NUMBER", "FILES", "SIZE"))))
    return 0


def row(one: Checkpoint, run: str) -> tuple[str, ...]:
    """A checkpoint's cells; its path is below the folder of `run`, or of the bucket."""
    number = "" if one.number is None else str(one.number)
    time = datetime.datetime.fromtimestamp(one.time).strftime("%m-%d %H:%M:%S") if one.time else ""
    complete = f"no: {one.fault}" if one.fault else "yes, the latest" if one.latest else "yes"
    return (
        number,
        one.format,
        one.path.removeprefix(f"{run}/"),
        str(len(one.files)),
        human_size(one.size),
        time,
        complete,
    )

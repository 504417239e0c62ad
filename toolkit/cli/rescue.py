"""`toolkit rescue TRAINING_ID`."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from toolkit.cli.output import console, print_json
from toolkit.paths import home
from toolkit.run.finish.rescue import rescue
from toolkit.run.records.reconcile import refreshed
from toolkit.run.records.record_store import Records


def run(arguments: argparse.Namespace) -> int:
    """Bring what hosts still keep of a run into its bucket, and leave nothing on them."""
    records = Records(home())
    record = refreshed(records.find(arguments.training_id), records)
    record = rescue(record, records, lambda note: console.print(note, soft_wrap=True))
    if arguments.json:
        print_json(asdict(record))
    console.print(f"{record.training_id} {record.state.value}: {record.reason}", soft_wrap=True)
    return 0

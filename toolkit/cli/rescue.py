"""`toolkit rescue TRAINING_ID`."""

from __future__ import annotations

import argparse

from toolkit.api.runs import rescue_run
from toolkit.cli.output import show_note
from toolkit.cli.run_output import show_record


def run(arguments: argparse.Namespace) -> int:
    """Upload a run's results that are still on hosts, and leave nothing there."""
    record = rescue_run(arguments.training_id, report=show_note)
    show_record(record, as_json=arguments.json)
    return 0

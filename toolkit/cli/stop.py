"""`toolkit stop TRAINING_ID`."""

from __future__ import annotations

import argparse

from toolkit.api.records import find_run
from toolkit.api.runs import stop_run
from toolkit.cli.output import show_note
from toolkit.cli.run_output import Screen, show_record
from toolkit.run.follow.events import Line
from toolkit.run.follow.view import Choice


def run(arguments: argparse.Namespace) -> int:
    """Stop the run, and wait until its results are stored and its hosts are clean. A second stop waits, too.

    With `--force` its agents are bypassed: everything of it is removed and listed.
    """
    record = find_run(arguments.training_id)
    record = stop_run(record, force=arguments.force, report=show_note, view=Quiet(record.ranks))
    show_record(record, as_json=arguments.json)
    return 0


class Quiet(Screen):
    """The states of a run, without its lines."""

    def line(self, line: Line) -> None:
        """See `View.line`."""

    def interrupted(self) -> Choice:
        """See `View.interrupted`."""
        return Choice.DETACH

"""`toolkit stop TRAINING_ID`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial

from toolkit.cli.output import console, print_json
from toolkit.cli.run_output import Screen
from toolkit.errors import Code, ToolkitError
from toolkit.paths import home
from toolkit.run.finish.force import force_stop
from toolkit.run.follow.agent_client import AgentClient, Presence
from toolkit.run.follow.connect import cluster_of, reached
from toolkit.run.follow.events import Line
from toolkit.run.follow.follow import Detached, Watch, Watched, stop, this_person
from toolkit.run.follow.view import Choice
from toolkit.run.launch.launcher_process import interrupt, lives
from toolkit.run.records.reconcile import refreshed
from toolkit.run.records.record import Record
from toolkit.run.records.record_store import Records
from toolkit.run.records.results_access import stored_run
from toolkit.storage.embedded_server import remove_store


def run(arguments: argparse.Namespace) -> int:
    """Stop the run, and wait until what it wrote is stored and nothing of it is left. A second stop waits, too.

    With `--force` its agents are not asked: everything of it is ended and named.
    """
    records = Records(home())
    record = refreshed(records.find(arguments.training_id), records)
    if arguments.force:
        record = force_stop(record, records, this_person(), lambda note: console.print(note, soft_wrap=True))
        remove_store(record.training_id)
    elif not record.final:
        record = stopped(record, records)
    if arguments.json:
        print_json(asdict(record))
    console.print(f"{record.training_id} {record.state.value}: {record.reason}", soft_wrap=True)
    return 0


def stopped(record: Record, records: Records) -> Record:
    """The record of the run once it has ended."""
    with reached(record) as engines:
        clients = {host: AgentClient(engine, record.training_id) for host, engine in engines.items()}
        first = next(iter(clients.values()))
        if first.presence() is Presence.GONE and record.launcher and lives(record.launcher):
            interrupt(record.launcher)  # it has nothing on a host yet but a process here
            raise ToolkitError(
                Code.RESOURCES,
                f"{record.training_id} had not begun: its launch, process {record.launcher[0]} here, was interrupted",
                hint=f"toolkit show {record.training_id}",
            )
        who = stop(clients)
        console.print(f"{record.training_id}: stopping, as {who} asked; what it has written is stored first")
        watched = Watched(record, clients, partial(stored_run, record), cluster_of(record).deadlines.lost)
        try:
            final = Watch(watched, records, Quiet(record.ranks)).run()
        except Detached:
            return record
    if not final.kept:  # hosts that are lost to us may still be storing
        remove_store(record.training_id)
    return final


class Quiet(Screen):
    """The states of a run, without its lines."""

    def line(self, line: Line) -> None:
        """See `View.line`."""

    def interrupted(self) -> Choice:
        """See `View.interrupted`."""
        return Choice.DETACH

"""`toolkit runs`."""

from __future__ import annotations

import argparse
import datetime
import time
from dataclasses import asdict
from itertools import pairwise

from toolkit.api.records import list_runs
from toolkit.cli.columns import columns
from toolkit.cli.output import print_json, say
from toolkit.run.records.record import Record

_TITLES = ("ID", "NAME", "STATE", "HOSTS", "SINCE", "TOOK")


def run(arguments: argparse.Namespace) -> int:
    """List the runs that were launched from here, the newest first; active ones with their current state."""
    found = list_runs(active=arguments.active)
    now, unreadable = found.runs, found.unreadable
    if arguments.json:
        damaged = [{"training_id": training_id, "what": why.what} for training_id, why in unreadable.items()]
        print_json({"runs": [asdict(record) for record in now], "unreadable": damaged})
        return 0
    if not now and not unreadable:
        say("no runs are recorded here yet")
        return 0
    rows = [row(record, time.time()) for record in now]
    rows += [(training_id, "", "unreadable", "", "", "") for training_id in unreadable]
    print("\n".join(columns(_TITLES, rows)))
    for why in unreadable.values():
        say(f"{why.what}: {why.hint}", "yellow")
    return 0


def row(record: Record, now: float) -> tuple[str, ...]:
    """A run's cells: id, name, state with the reason of its end, hosts, when it started, how long it took or takes."""
    began = record.states[0][1] if record.states else now
    seconds = record.seconds if record.seconds is not None else now - began
    state = record.state.value + (f" ({record.end})" if record.error_code and record.end else "")
    hosts = ", ".join(record.hosts) or record.cluster
    since = datetime.datetime.fromtimestamp(began).strftime("%Y-%m-%d %H:%M")
    return record.training_id, record.name, state, hosts, since, duration(seconds)


def duration(seconds: float) -> str:
    """`42 s`, `3 m 12 s`, `5 h 3 m`, `2 d 4 h`."""
    left = round(seconds)
    for (name, size), (smaller, part) in pairwise((("d", 86400), ("h", 3600), ("m", 60), ("s", 1))):
        if left >= size:
            rest = left % size // part
            return f"{left // size} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{left} s"

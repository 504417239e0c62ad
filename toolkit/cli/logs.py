"""`toolkit logs TRAINING_ID`."""

from __future__ import annotations

import argparse
import datetime
import re
import sys
import time
from collections.abc import Iterator
from functools import partial

from toolkit.cli.output import print_line
from toolkit.cli.run_output import Screen, report_end
from toolkit.errors import INTERRUPTED, Code, ToolkitError
from toolkit.paths import home
from toolkit.run.follow.agent_client import AgentClient
from toolkit.run.follow.connect import cluster_of, reached
from toolkit.run.follow.events import Beat, Events, Gone, Line, Silence
from toolkit.run.follow.follow import Detached, Watch, Watched
from toolkit.run.follow.view import Choice
from toolkit.run.records.reconcile import refreshed
from toolkit.run.records.record import Record
from toolkit.run.records.record_store import Records
from toolkit.run.records.results_access import stored_run

_AGO = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RANK = re.compile(r"^\[(\d+)\] ")


def run(arguments: argparse.Namespace) -> int:
    """Print the run's output; with `--follow`, until its end."""
    records = Records(home())
    record = refreshed(records.find(arguments.training_id), records)
    begin = since(arguments.since, time.time()) if arguments.since else 0.0
    wanted = Wanted(arguments.rank, begin, raw=arguments.raw)
    if record.final:
        show_stored(record, wanted)
        return 0
    if arguments.follow:
        return follow(record, records, wanted)
    for line in lines_so_far(record):
        wanted.show(line)
    return 0


def show_stored(record: Record, wanted: Wanted) -> None:
    """The lines of a run that has ended. Raises `ToolkitError` (S303) where they wait on a host to be rescued."""
    count = 0
    with stored_run(record) as stored:
        for count, line in enumerate(stored.lines(), 1):  # noqa: B007 - how many there were
            wanted.show(line)
    if not count and record.kept:
        raise ToolkitError(
            Code.STORING_RESULTS,
            f"{record.training_id}: its output is not in the bucket; it is kept on {', '.join(record.kept)}",
            hint=f"toolkit rescue {record.training_id}",
        )


class Wanted:
    """Which lines are asked for. `raw`: with the colours that their program sets."""

    def __init__(self, rank: int | None, since: float, *, raw: bool = False) -> None:
        self._rank, self._since, self.raw = rank, since, raw

    def show(self, line: Line) -> None:
        """Print the line if it is asked for."""
        if self.wants(line):
            print_line(line.text, sys.stdout, raw=self.raw)

    def wants(self, line: Line) -> bool:
        """Whether it is new enough, and the rank's."""
        match = _RANK.match(line.text)
        rank = int(match[1]) if match else None
        return line.at >= self._since and (self._rank is None or rank == self._rank)


class LogScreen(Screen):
    """The run as `logs --follow` shows it: the lines that are asked for. A Ctrl-C ends the showing alone."""

    def __init__(self, ranks: int, wanted: Wanted) -> None:
        super().__init__(ranks, raw=wanted.raw)
        self._wanted = wanted

    def line(self, line: Line) -> None:
        """See `View.line`."""
        if self._wanted.wants(line):
            super().line(line)

    def interrupted(self) -> Choice:
        """See `View.interrupted`."""
        return Choice.DETACH


def follow(record: Record, records: Records, wanted: Wanted) -> int:
    """Every line from the first on, until the run has ended; then as `launch` ends."""
    with reached(record) as engines:
        clients = {host: AgentClient(engine, record.training_id) for host, engine in engines.items()}
        lost = cluster_of(record).deadlines.lost
        watched = Watched(record, clients, partial(stored_run, record), lost)
        try:
            final = Watch(watched, records, LogScreen(record.ranks, wanted)).run()
        except Detached:
            return INTERRUPTED
    return report_end(final, as_json=False)


def lines_so_far(record: Record) -> Iterator[Line]:
    """What the run has printed up to now."""
    with reached(record) as engines:
        client = AgentClient(next(iter(engines.values())), record.training_id)
        for event in Events(client):
            match event:
                case Line():
                    yield event
                case Beat():
                    return
                case Gone(offset):
                    with stored_run(record) as stored:
                        yield from stored.lines(offset)
                    return
                case Silence(_, why):
                    raise ToolkitError(Code.RESOURCES, f"the run's host does not answer: {why}", hint="toolkit doctor")
                case _:
                    pass


def since(text: str, now: float) -> float:
    """`10m` (ago), or a time such as 2026-11-25T20:00 (this machine's), in seconds since 1970.

    Raises `ToolkitError` (C101) for anything else.
    """
    if match := _AGO.fullmatch(text):
        return now - int(match[1]) * _SECONDS[match[2]]
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise ToolkitError(Code.MANIFEST, f"--since {text}: no time", hint="10m, 2h, 1d, or 2026-11-25T20:00") from None

"""`toolkit watch TRAINING_ID`."""

from __future__ import annotations

import argparse
import time
from contextlib import suppress
from dataclasses import asdict, replace

from rich.console import Group, OverflowMethod
from rich.live import Live
from rich.text import Text

from toolkit.agent.heartbeat import repeating
from toolkit.api.measurements import host_metrics, metrics
from toolkit.api.records import find_run
from toolkit.api.runs import follow
from toolkit.cli.board import Glance, board
from toolkit.cli.console import SafeConsole
from toolkit.cli.output import json_text
from toolkit.cli.run_output import show_end
from toolkit.errors import INTERRUPTED, ToolkitError
from toolkit.metrics.collected import Collected
from toolkit.metrics.read_lines import ReadLines
from toolkit.metrics.series import Series
from toolkit.plural import counted
from toolkit.run.follow.events import Line
from toolkit.run.follow.view import Choice, SilentView
from toolkit.run.records.record import Record

_HOSTS_SECONDS = 10.0
_MOST_POINTS = 256
"""Of a curve: they are drawn each second."""
_COMMAND = "[toolkit] command "


def run(arguments: argparse.Namespace) -> int:
    """Show a run at a glance until it ends, or until Ctrl-C; where there is no terminal, once."""
    record, console = find_run(arguments.training_id), SafeConsole()
    if record.final or arguments.json or not console.is_terminal:
        found = metrics(record)
        if arguments.json:
            print(json_text({"run": asdict(record), **asdict(found)}))
            return 0
        console.print(drawn(Glance(record, ranks=found.ranks, hosts=found.hosts)), soft_wrap=True)
        return 0
    with Live(console=console, auto_refresh=False, transient=True) as live:
        watching = Watching(record, live)
        try:
            with repeating("hosts", watching.ask_hosts, _HOSTS_SECONDS, wait=False):
                record = follow(record, view=watching)
        finally:
            live.stop()
            console.print(drawn(watching.glance), soft_wrap=True)
    return show_end(record, as_json=False) if record.final else INTERRUPTED


def drawn(glance: Glance, *, cut: bool = False) -> Group:
    """The board as lines of a terminal; `cut` to its width, so that it can be drawn over."""
    lines = board(glance, time.time())
    overflow: OverflowMethod = "ellipsis" if cut else "ignore"
    return Group(
        *(Text.assemble((f"{title:<10} ", "bold"), text, overflow=overflow, no_wrap=True) for title, text in lines)
    )


class Watching(SilentView):
    """The run as it goes on, drawn each second. Ctrl-C only ends the display."""

    def __init__(self, record: Record, live: Live) -> None:
        super().__init__(Choice.DETACH)
        self._live, self._hosts = live, tuple[Series, ...]()
        self._collected = Collected(_MOST_POINTS)
        self._reader = ReadLines(self._collected)
        self.glance = Glance(record)

    def ask_hosts(self) -> None:
        """Ask the run's agents for samples. One that does not answer says nothing, which `follow` reports."""
        with suppress(ToolkitError, OSError):
            self._hosts = host_metrics(self.glance.record)

    def state(self, record: Record, note: str) -> None:
        self.glance = replace(self.glance, record=record, note=note)
        self.beat()

    def note(self, text: str) -> None:
        self.glance = replace(self.glance, note=text)

    def storing(self, queued: int, uploading: int, errored: int) -> None:
        waiting = f"{counted(queued, 'file')} waiting, {uploading} uploading, {errored} failed so far"
        self.glance = replace(self.glance, note=waiting if queued or uploading else "")

    def line(self, line: Line) -> None:
        self._reader.line(line.text, line.at)
        command = line.text.removeprefix("[toolkit] ") if line.text.startswith(_COMMAND) else self.glance.command
        self.glance = replace(self.glance, last=line.text, command=command)

    def beat(self) -> None:
        self.glance = replace(self.glance, ranks=self._collected.series(), hosts=self._hosts)
        self._live.update(drawn(self.glance, cut=True), refresh=True)

"""`toolkit logs TRAINING_ID`."""

from __future__ import annotations

import argparse
import datetime
import re
import sys
import time

from toolkit.api.records import find_run
from toolkit.api.runs import follow, log_lines
from toolkit.cli.output import print_line
from toolkit.cli.run_output import Screen, show_end
from toolkit.errors import INTERRUPTED, Code, ToolkitError
from toolkit.run.follow.events import Line
from toolkit.run.follow.view import Choice

_AGO = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RANK = re.compile(r"^\[(\d+)\] ")


def run(arguments: argparse.Namespace) -> int:
    """Print the run's output; with `--follow`, until its end."""
    begin = since(arguments.since, time.time()) if arguments.since else 0.0
    wanted = Wanted(arguments.rank, begin, raw=arguments.raw)
    record = find_run(arguments.training_id)
    if arguments.follow and not record.final:
        record = follow(record, view=LogScreen(record.ranks, wanted))
        return show_end(record, as_json=False) if record.final else INTERRUPTED
    for line in log_lines(record):
        wanted.show(line)
    return 0


class Wanted:
    """Which lines to show. `raw`: with the colours that their program sets."""

    def __init__(self, rank: int | None, since: float, *, raw: bool = False) -> None:
        self._rank, self._since, self.raw = rank, since, raw

    def show(self, line: Line) -> None:
        """Print the line if it is wanted."""
        if self.wants(line):
            print_line(line.text, sys.stdout, raw=self.raw)

    def wants(self, line: Line) -> bool:
        """Whether it is new enough, and from the selected rank."""
        match = _RANK.match(line.text)
        rank = int(match[1]) if match else None
        return line.at >= self._since and (self._rank is None or rank == self._rank)


class LogScreen(Screen):
    """The run as `logs --follow` shows it: the selected lines. Ctrl-C only ends the display."""

    def __init__(self, ranks: int, wanted: Wanted) -> None:
        super().__init__(ranks, raw=wanted.raw)
        self._wanted = wanted

    def line(self, line: Line) -> None:
        if self._wanted.wants(line):
            super().line(line)

    def interrupted(self) -> Choice:
        return Choice.DETACH


def since(text: str, now: float) -> float:
    """`10m` (ago), or a time such as 2026-11-25T20:00 (this machine's), in seconds since 1970.

    Raises `ToolkitError` (C101) for anything else.
    """
    if match := _AGO.fullmatch(text):
        return now - int(match[1]) * _SECONDS[match[2]]
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise ToolkitError(
            Code.MANIFEST, f"--since {text}: not a time", hint="10m, 2h, 1d, or 2026-11-25T20:00"
        ) from None

"""docs/faults.md: the table of faults as it was measured, written by the tests themselves.

The page is its own store: a test that runs replaces its own line, and the others' stay.
"""

from __future__ import annotations

import datetime
import os
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LOST_SECONDS = 15
STOP_SECONDS = 5
_COLUMNS = ("#", "fault", "outcome", "reported after", "over after", "left behind")
_TEXT = """# Faults: what happens to a run

Each row was written by its test in `tox -e faults`. The tests may be run in parts, so a row may be older than its
neighbours. A test injects its fault into a real run (real engines, S3 servers, sshd, mpirun). It fails if the run ends
in another way, if anything is left behind that is not listed here, or if a file that a program had closed is neither in
the bucket with the right checksum nor reported as not stored. Do not edit this page by hand.

`reported after` is the time from the fault to the first line on a follower's screen that names it, with host or rank;
`over after` the time until the command had ended and nothing of the run was left. Each is one measurement in seconds,
on a machine with other load; of several, the longest. The numbers refer to the table in the tests' modules.

Measured {date} on {machine}.

{faults}

## Attacks

Programs, accounts and bucket writers that attack a run, and the outcome ([security](security.md)).

{attacks}
"""
_ATTACKS = 11
"""From this number on a row is of the second table."""


@dataclass(frozen=True)
class Row:
    """One fault. `reported` and `over` in seconds; None where there is nothing to tell."""

    number: str
    fault: str
    ended: str
    reported: float | None
    over: float | None
    left: str = "nothing"

    @property
    def cells(self) -> tuple[str, ...]:
        reported, over = ("–" if one is None else f"{one:.1f} s" for one in (self.reported, self.over))
        return self.number, self.fault, self.ended, reported, over, self.left


class Page:
    """The page at `file`; one without a file prints nothing."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self.loud: list[str] = []
        self.rows: list[Row] = []

    def add(self, row: Row) -> None:
        """A fault was survived as it should be. The longest of several with the same name stays."""
        before = next((one for one in self.rows if one.fault == row.fault), None)
        if before and (before.over or 0) >= (row.over or 0):
            return
        self.rows = [one for one in self.rows if one is not before] + [row]
        self.write()

    def lost(self, fault: str, reported: float) -> None:
        """A host was lost: it must be reported soon."""
        if reported > LOST_SECONDS:
            self.loud.append(f"TOO LATE: {fault}: reported after {reported:.1f} s, wanted {LOST_SECONDS} s")

    def stopped(self, fault: str, over: float, stop: int) -> None:
        """A run was stopped: it must be over soon."""
        if over > stop + STOP_SECONDS:
            self.loud.append(f"TOO LATE: {fault}: over after {over:.1f} s, wanted {stop} + {STOP_SECONDS} s")

    def write(self) -> None:
        """Write the page."""
        if not self._file:
            return
        lines = read_lines(self._file.read_text()) if self._file.exists() else {}
        lines |= {row.fault: row.cells for row in self.rows}
        ordered = sorted(lines.values(), key=lambda cells: (int(cells[0]), cells[1]))
        faults = _table(cells for cells in ordered if int(cells[0]) < _ATTACKS)
        attacks = _table(cells for cells in ordered if int(cells[0]) >= _ATTACKS)
        date = datetime.datetime.now(datetime.UTC).date().isoformat()
        self._file.write_text(_TEXT.format(date=date, machine=machine(), faults=faults, attacks=attacks))


def read_lines(text: str) -> dict[str, tuple[str, ...]]:
    """The lines of the table on a page, by the fault's name."""
    found = {}
    for line in text.splitlines():
        cells = tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        if line.startswith("|") and len(cells) == len(_COLUMNS) and cells[0].isdecimal():
            found[cells[1]] = cells
    return found


def machine() -> str:
    """This machine, in a few words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    release = Path("/etc/os-release").read_text()
    name = re.search(r'^PRETTY_NAME="(.*)"', release, re.MULTILINE)
    return f"{os.cpu_count()} CPUs ({platform.machine()}), {memory:.0f} GB, {name[1] if name else platform.system()}"


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(_line(cells) for cells in (_COLUMNS, ("---",) * len(_COLUMNS), *rows))


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"

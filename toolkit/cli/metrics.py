"""`toolkit metrics TRAINING_ID`."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from toolkit.api.measurements import metrics
from toolkit.cli.columns import columns
from toolkit.cli.output import human_size, json_text, say
from toolkit.cli.sparkline import sparkline
from toolkit.metrics.series import Series

_TITLES = ("SOURCE", "NAME", "CURVE", "LAST", "LEAST", "MOST", "POINTS")
_SHORT = {"percent": " %", "seconds": " s", "watts": " W", "degrees Celsius": " °C"}
_CURVE = 10
"""Characters: the line fits a terminal of 80."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def run(arguments: argparse.Namespace) -> int:
    """Print a run's series: a line each; with `--csv` and `--json`, every point."""
    found = metrics(arguments.training_id)
    series = [*found.ranks, *found.hosts]
    if arguments.json:
        print(json_text(asdict(found)))
    elif arguments.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(csv_rows(series))
    elif series:
        rows = [row(one) for one in series]
        print("\n".join(columns(_TITLES, rows, right=_TITLES[3:], gap=" ")))  # fits a terminal of 80
    if not found.ranks and not arguments.json:
        say("toolkit: no rank has reported a metric in a form that is read: docs/metrics.md lists them", "yellow")
    return 0


def csv_rows(series: Iterable[Series]) -> Iterator[Sequence[str]]:
    """A row for each point, after the titles. A name that a spreadsheet would take for a formula is quoted."""
    yield "source", "name", "unit", "time", "step", "value"
    for one in series:
        names = [f"'{word}" if word.startswith(_FORMULA) else word for word in (one.source, one.name, one.unit)]
        for point in one.points:
            step = "" if point.step is None else str(point.step)
            yield *names, f"{point.at:.3f}", step, repr(point.value)


def row(one: Series) -> tuple[str, ...]:
    """A series' cells: source, name, its curve, the last, least and greatest value, and how many there are."""
    values = [point.value for point in one.points]
    numbers = (shown(value, one.unit) for value in (values[-1], min(values), max(values)))
    return one.source, one.name, sparkline(values, _CURVE), *numbers, str(len(values))


def shown(value: float, unit: str) -> str:
    """A value for people: `1.7 GB`, `12.5 %`, `0.3001`."""
    if unit in ("bytes", "bytes/s"):
        sign = "-" if value < 0 else ""
        return f"{sign}{human_size(abs(value))}{unit.removeprefix('bytes')}"
    return f"{value:.4g}{_SHORT.get(unit, '')}"

"""A run at a glance, in a few lines: state, command, progress, loss, step time, hosts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toolkit.cli.metrics import shown
from toolkit.cli.runs import duration
from toolkit.cli.sparkline import sparkline
from toolkit.metrics.keras_lines import STEP_TIME
from toolkit.metrics.series import Series
from toolkit.run.records.record import Record

_MOST_ROWS = 8
"""Ranks, and hosts, that are shown one by one."""
_CURVE = 24
_OF_HOST = ("cpu", "memory", "network.received", "mounts")
_LAST_POINTS = 240
"""Of a host's curve: the last twenty minutes, of a run that has not taken three hours."""


@dataclass(frozen=True)
class Glance:
    """What is known of a run now.

    Attributes:
        note: what its agent says about its state.
        command: the tool's own line about the command that runs; empty before the first.
        last: the last line of output.
    """

    record: Record
    note: str = ""
    command: str = ""
    last: str = ""
    ranks: Sequence[Series] = ()
    hosts: Sequence[Series] = ()


def board(glance: Glance, now: float) -> Iterator[tuple[str, str]]:
    """Lines, each with its title; `now` is in seconds since 1970."""
    record = glance.record
    began = record.states[0][1] if record.states else now
    took = record.seconds if record.seconds is not None else max(0.0, now - began)
    yield "run", f"{record.training_id}  {record.name}"
    yield "state", f"{record.state.value}  {duration(took)}  {glance.note or record.reason}".rstrip()
    if glance.command:
        yield "command", glance.command
    chosen = main_series(glance.ranks)
    if chosen:
        yield from _rows([(one.source, _curve(one)) for one in chosen], "ranks", chosen[0].name)
    times = [one for one in glance.ranks if one.name == STEP_TIME]
    if times:
        yield (
            "step time",
            ", ".join(f"{one.source} {shown(one.points[-1].value, one.unit)}" for one in times[:_MOST_ROWS]),
        )
    names = tuple(dict.fromkeys(one.source for one in glance.hosts))
    yield from _rows([(name, _of_host(name, glance.hosts)) for name in names], "hosts", "hosts")
    if glance.last:
        yield "last", glance.last


def main_series(ranks: Sequence[Series]) -> list[Series]:
    """The loss of each rank; where there is none, what ends with `loss`, or else what comes first."""
    names = list(dict.fromkeys(one.name for one in ranks if one.name != STEP_TIME))
    chosen = next((name for name in names if name == "loss"), None)
    chosen = chosen or next((name for name in names if name.lower().endswith("loss")), next(iter(names), None))
    return [one for one in ranks if one.name == chosen]


def _rows(rows: Sequence[tuple[str, str]], noun: str, title: str) -> Iterator[tuple[str, str]]:
    width = max((len(name) for name, _ in rows[:_MOST_ROWS]), default=0)
    for number, (name, text) in enumerate(rows[:_MOST_ROWS]):
        yield "" if number else title, f"{name:<{width}}  {text}"
    if len(rows) > _MOST_ROWS:
        yield "", f"and {len(rows) - _MOST_ROWS} more {noun}"


def _curve(one: Series) -> str:
    last = one.points[-1]
    step = "" if last.step is None else f"  step {last.step}"
    return f"{sparkline([point.value for point in one.points], _CURVE)}  {shown(last.value, one.unit)}{step}"


def _of_host(name: str, hosts: Sequence[Series]) -> str:
    """`cpu ▁▃▅ 94 %  memory 2.3 GB  …`, and each GPU's utilisation."""
    mine = {one.name: one for one in hosts if one.source == name}
    words = []
    for quantity in (*_OF_HOST, *(each for each in mine if each.endswith(".utilisation"))):
        if one := mine.get(quantity):
            values = [point.value for point in one.points[-_LAST_POINTS:]]
            curve = f" {sparkline(values, _CURVE // 2)}" if one.unit == "percent" else ""
            words.append(f"{quantity.removesuffix('.utilisation')}{curve} {shown(values[-1], one.unit)}")
    return "  ".join(words)

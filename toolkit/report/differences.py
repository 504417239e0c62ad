"""How several runs differ: what was asked for first, then what came of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from toolkit.plural import listed
from toolkit.report.amounts import duration, number
from toolkit.report.model import RunInput
from toolkit.run.comparison.conditions import Part, compared_conditions, conditions_in
from toolkit.run.records.record import Record, State

_MOST, _MOST_METRICS = 60, 40


@dataclass(frozen=True)
class Row:
    """Something that is not the same in all runs: its text in each, in their order; `-` where a run has none."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Differences:
    """What was asked for and differs; what came of it and differs; what was asked for and is the same.

    `left_out` is how many more differences of the first kind there are.
    """

    asked: tuple[Row, ...]
    outcome: tuple[Row, ...]
    same: tuple[str, ...]
    left_out: int = 0


_AROUND: tuple[tuple[str, Callable[[Record], str]], ...] = (
    ("name", lambda record: record.name),
    ("cluster", lambda record: record.cluster),
    ("hosts", lambda record: listed(list(record.hosts), 12) or "this machine"),
    ("resumed from", lambda record: record.resumed_from),
    ("manifest file", lambda record: record.manifest_file),
)
"""What is no condition of a result, but tells runs apart."""


def differences(runs: Sequence[RunInput]) -> Differences:
    """How the runs differ; nothing for one."""
    records = [run.record for run in runs]
    found = compared_conditions([run.conditions or conditions_in(run.record) for run in runs])
    asked = [Row(f"{one.part}: {one.name}", tuple(text or "-" for text in one.texts)) for one in found]
    around = [Row(name, tuple(value(record) or "-" for record in records)) for name, value in _AROUND]
    unlike, known = {one.part for one in found}, _known(runs)
    rows = [*(one for one in asked if _differs(one)), *(one for one in around if _differs(one))]
    return Differences(
        asked=tuple(rows[:_MOST]),
        outcome=tuple(one for one in _outcomes(records) if _differs(one)),
        same=(
            *(part for part in get_args(Part) if part in known and part not in unlike),
            *(one.name for one in around if not _differs(one) and one.values[0] != "-"),
        ),
        left_out=len(rows[_MOST:]),
    )


def _known(runs: Sequence[RunInput]) -> set[str]:
    """The parts that every run has on record."""
    if all(run.conditions for run in runs):
        return set(get_args(Part))
    return {"ranks", "device", "image"}


def _differs(one: Row) -> bool:
    return len(set(one.values)) > 1


def _outcomes(records: Sequence[Record]) -> list[Row]:
    names = list(dict.fromkeys(name for record in records for name in record.metrics))[:_MOST_METRICS]
    return [
        Row("outcome", tuple(_ended(record) for record in records)),
        Row("duration", tuple(_seconds(record) for record in records)),
        *(Row(f"metric {name}", tuple(_metric(record, name) for record in records)) for name in names),
        Row("files stored", tuple(str(record.stored_files) for record in records)),
    ]


def _ended(record: Record) -> str:
    return record.state.value if record.state is State.COMPLETED else f"{record.state.value} {record.end}".strip()


def _seconds(record: Record) -> str:
    return "-" if record.seconds is None else duration(record.seconds)


def _metric(record: Record, name: str) -> str:
    value = record.metrics.get(name, "-")
    return value if isinstance(value, str) else number(value)

"""How several runs differ: what was asked for first, then what came of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from toolkit.plural import listed
from toolkit.report.amounts import duration, number
from toolkit.run.records.record import Record, State

_MOST_METRICS = 40


@dataclass(frozen=True)
class Difference:
    """Something that is not the same in all runs: its text in each, in their order; `-` where a run has none."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Differences:
    """What was asked for and differs; what came of it and differs; what was asked for and is the same."""

    asked: tuple[Difference, ...]
    outcome: tuple[Difference, ...]
    same: tuple[str, ...]


_ASKED: tuple[tuple[str, Callable[[Record], str]], ...] = (
    ("name", lambda record: record.name),
    ("image", lambda record: record.image),
    ("image ID", lambda record: record.image_id),
    ("submitted code", lambda record: record.code_digest[:16]),
    ("training data", lambda record: record.data_bucket),
    ("compute", lambda record: record.compute),
    ("ran on", lambda record: record.ran_on),
    ("learners", lambda record: str(record.learners)),
    ("ranks", lambda record: str(record.ranks)),
    ("cluster", lambda record: record.cluster),
    ("hosts", lambda record: listed(list(record.hosts), 12) or "this machine"),
    ("resumed from", lambda record: record.resumed_from),
    ("manifest file", lambda record: record.manifest_file),
)

_COMMANDS_AT = 4
"""After the code."""


def differences(records: Sequence[Record]) -> Differences:
    """How the records differ; nothing for one."""
    asked = [Difference(name, tuple(value(record) or "-" for record in records)) for name, value in _ASKED]
    asked.insert(_COMMANDS_AT, Difference("commands", _commands(records)))
    return Differences(
        tuple(one for one in asked if _differs(one)),
        tuple(one for one in _outcomes(records) if _differs(one)),
        tuple(one.name for one in asked if not _differs(one) and one.values and one.values[0] != "-"),
    )


def _commands(records: Sequence[Record]) -> tuple[str, ...]:
    """The commands as far as all of the runs came: one that failed early has no record of its later commands."""
    common = min((len(record.steps) for record in records), default=0)
    return tuple(" ; ".join(step.command for step in record.steps[:common]) or "-" for record in records)


def _differs(one: Difference) -> bool:
    return len(set(one.values)) > 1


def _outcomes(records: Sequence[Record]) -> list[Difference]:
    names = list(dict.fromkeys(name for record in records for name in record.metrics))[:_MOST_METRICS]
    return [
        Difference("outcome", tuple(_ended(record) for record in records)),
        Difference("duration", tuple(_seconds(record) for record in records)),
        *(Difference(f"metric {name}", tuple(_metric(record, name) for record in records)) for name in names),
        Difference("files stored", tuple(str(record.stored_files) for record in records)),
    ]


def _ended(record: Record) -> str:
    return record.state.value if record.state is State.COMPLETED else f"{record.state.value} {record.end}".strip()


def _seconds(record: Record) -> str:
    return "-" if record.seconds is None else duration(record.seconds)


def _metric(record: Record, name: str) -> str:
    value = record.metrics.get(name, "-")
    return value if isinstance(value, str) else number(value)

"""The rows of a run's timeline: the run, its hosts, and their ranks or learners. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from toolkit.agent.host_stages import STAGES, HostStage, HostStages
from toolkit.plural import counted, ranges
from toolkit.report.amounts import duration
from toolkit.run.records.record import Record, State, StepResult

MOST_COMMANDS = 24
_MOST_RANKS = 16
_STATES = (State.QUEUED, State.PENDING, State.DOWNLOADING, State.PROCESSING, State.STORING)
_HALVES = {"mounts": "lower", "files": "upper", "learners": "upper"}
"""Stages of a host that are at the same time: buckets are mounted while files are copied and learners start."""


@dataclass(frozen=True)
class Bar:
    """A stretch of time, in seconds from the run's begin; `kind` selects its colour; `half` is `upper`, `lower` or
    empty, for bars at the same time."""

    start: float
    end: float
    kind: str
    label: str
    half: str = ""


@dataclass(frozen=True)
class Lane:
    """One row of the timeline: the run itself, a host, or a rank or learner of the host above it (`below`)."""

    name: str
    detail: str
    bars: tuple[Bar, ...]
    remark: str = ""
    below: bool = False

    @property
    def seconds(self) -> float:
        """From its first bar's begin to its last one's end."""
        return max(bar.end for bar in self.bars) - min(bar.start for bar in self.bars) if self.bars else 0.0


@dataclass(frozen=True)
class Span:
    """The run's time, from `begin` to `end` (seconds since 1970)."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.begin

    def bar(self, start: float, until: float, kind: str, label: str, half: str = "") -> Bar:
        """A bar within the run: clocks differ."""
        low = min(max(start - self.begin, 0.0), self.seconds)
        return Bar(low, min(max(until - self.begin, low), self.seconds), kind, label, half)


def stage_bars(record: Record, span: Span) -> tuple[Bar, ...]:
    """The states that the run went through."""
    marks = [*record.states, ("", span.end)]
    return tuple(
        span.bar(start, following, state.lower(), state)
        for (state, start), (_, following) in pairwise(marks)
        if state in _STATES
    )


def run_lane(record: Record, span: Span) -> Lane:
    """The run: its states, and over them its commands."""
    commands = (
        span.bar(step.started, step.ended, kind_of(step), f"command {step.number}: {step.command[:80]}")
        for step in record.steps[:MOST_COMMANDS]
        if step.started and step.ended
    )
    return Lane("run", "", (*stage_bars(record, span), *commands))


def host_lanes(record: Record, span: Span) -> Iterator[Lane]:
    """A lane for each host with its stages, and below it one for each of its ranks; if there are many ranks, for each
    of its learners, unless it has one: then the commands are in the host's.

    A record of an earlier version has no stages of hosts: lanes of ranks or learners are all there is.
    """
    rows = list(_rows(record))
    if not record.host_stages:
        yield from (_command_lane(record, row, span, below=False) for row in rows if record.steps)
        return
    for host in record.host_stages:
        own = [row for row in rows if row.host == host.host]
        joined = len(own) == 1 and record.ranks > _MOST_RANKS
        commands = _command_lane(record, own[0], span, below=False) if joined else None
        yield _host_lane(host, own, span, commands)
        if record.steps and not joined:
            yield from (_command_lane(record, row, span, below=True) for row in own)


def prepared_lanes(record: Record, span: Span) -> Iterator[Lane]:
    """A lane for each host with its stages before the start signal."""
    rows = list(_rows(record))
    for host in record.host_stages:
        yield _host_lane(replace(host, host_clock=()), [row for row in rows if row.host == host.host], span, None)


def kind_of(step: StepResult) -> str:
    """The colour of a command."""
    return f"command-{min(step.number, 4)}"


@dataclass(frozen=True)
class _Row:
    """Whose times a lane shows; `once`: also those of commands that run once."""

    name: str
    detail: str
    host: str
    learner: int
    ranks: tuple[int, ...]
    once: bool


def _rows(record: Record) -> Iterator[_Row]:
    """A row for each rank, or for each learner if there are many ranks."""
    for number, host, ranks in record.placement:
        where = f"learner {number}" if record.host_stages else host or f"learner {number}"
        if record.ranks <= _MOST_RANKS and ranks:
            for rank in ranks:
                yield _Row(f"rank {rank}", where, host, number, (rank,), number == 1 and rank == ranks[0])
        else:
            numbers = f"ranks {min(ranks)} to {max(ranks)}" if len(ranks) > 1 else "1 rank"
            yield _Row(where, numbers, host, number, ranks, number == 1)


def _host_lane(host: HostStages, rows: Sequence[_Row], span: Span, commands: Lane | None) -> Lane:
    bars = tuple(_stage_bar(stage, span) for stage in (*host.operator_clock, *host.host_clock))
    ranks = [rank for row in rows for rank in row.ranks]
    noun = "rank" if len(ranks) == 1 else "ranks"
    detail = f"{noun} {ranges(ranks)[:40]}" if ranks else counted(len(rows), "learner")
    if not commands:
        return Lane(host.host or "this machine", detail, bars)
    return Lane(host.host or "this machine", detail, (*bars, *commands.bars), commands.remark)


def _stage_bar(stage: HostStage, span: Span) -> Bar:
    label = f"{stage.name}: {duration(stage.end - stage.start)}{f', {stage.note}' if stage.note else ''}"
    return span.bar(stage.start, stage.end, kind_of_stage(stage.name), label, _HALVES.get(stage.name, ""))


def kind_of_stage(name: str) -> str:
    """The colour of a host's stage."""
    return name if name in STAGES else "other"


def _command_lane(record: Record, row: _Row, span: Span, *, below: bool) -> Lane:
    bars: list[Bar] = []
    failed: list[str] = []
    for step in record.steps[:MOST_COMMANDS]:
        times, ok = _part(step, row)
        if times is None:
            continue
        label = f"command {step.number}: {step.command[:80]}, {duration(times[1] - times[0])}"
        bars.append(span.bar(*times, kind_of(step) if ok else "failed", label))
        if not ok:
            failed.append(f"command {step.number} failed")
    return Lane(row.name, row.detail, tuple(bars), ", ".join(failed), below)


def _part(step: StepResult, row: _Row) -> tuple[tuple[float, float] | None, bool]:
    """The first start and the last end of a row's part in a command, None if it has none; whether it succeeded."""
    if not step.parallel:
        return ((step.started, step.ended), step.ok) if row.once and step.started and step.ended else (None, True)
    own = (row.learner - 1,) if step.each == "learner" else row.ranks
    spans = [span for span in (step.times[one] for one in own if one < len(step.times)) if span is not None]
    if not spans:
        return None, True
    ok = all(step.ranks[one] == 0 for one in own if one < len(step.ranks))
    return (min(start for start, _ in spans), max(until for _, until in spans)), ok

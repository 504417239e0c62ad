"""Where a run's time went: its stages, its commands, and its ranks' parts of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from toolkit.report.amounts import duration
from toolkit.run.records.record import Record, State, StepResult

_MOST_RANKS, _MOST_LANES, _MOST_COMMANDS = 16, 64, 24
_NICE = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_MOST_TICKS = 5
_STAGES: dict[str, str] = {
    State.QUEUED: "waiting for hosts",
    State.PENDING: "checking keys and buckets",
    State.DOWNLOADING: "mounting buckets, copying the code",
    State.PROCESSING: "running the commands",
    State.STORING: "storing and verifying the results",
}


@dataclass(frozen=True)
class Bar:
    """A stretch of time, in seconds from the run's begin; `kind` selects its colour."""

    start: float
    end: float
    kind: str
    label: str


@dataclass(frozen=True)
class Lane:
    """One row of the timeline: the run itself, a host or a rank."""

    name: str
    detail: str
    bars: tuple[Bar, ...]
    remark: str = ""

    @property
    def seconds(self) -> float:
        """From its first bar's begin to its last one's end."""
        return max(bar.end for bar in self.bars) - min(bar.start for bar in self.bars) if self.bars else 0.0


@dataclass(frozen=True)
class Share:
    """A stage or a command, its seconds, and its part of the whole run (0 to 1)."""

    name: str
    detail: str
    kind: str
    seconds: float
    part: float


@dataclass(frozen=True)
class Timeline:
    """`seconds` is the whole; `ticks` are where the axis has a label; `left_out` is how many rows are not shown."""

    seconds: float
    lanes: tuple[Lane, ...]
    shares: tuple[Share, ...]
    ticks: tuple[tuple[float, str], ...]
    left_out: int = 0


def timeline(record: Record, now: float) -> Timeline | None:
    """The run's time, up to `now` (seconds since 1970) if it has not ended; None if it has not begun."""
    if not record.states:
        return None
    begin = record.states[0][1]
    end = max(record.states[-1][1] if record.final else now, begin + 1e-3)
    stages = tuple(_stages(record, begin, end))
    lanes = (Lane("run", "", (*stages, *_own_times(record, begin, end))), *_lanes(record, begin, end))
    shown = lanes[: _MOST_LANES + 1]
    return Timeline(
        end - begin, shown, _shares(record, stages, end - begin), ticks(end - begin), len(lanes) - len(shown)
    )


def ticks(seconds: float) -> tuple[tuple[float, str], ...]:
    """Where an axis of `seconds` seconds is labelled: at round times, at most six with its begin."""
    step = next((nice for nice in _NICE if seconds / nice <= _MOST_TICKS), seconds / _MOST_TICKS)
    count = int(seconds / step + 1e-9)
    return tuple((step * tick, _tick_text(step * tick, step)) for tick in range(count + 1))


def _tick_text(at: float, step: float) -> str:
    if at == 0:
        return "0"
    if at < 60:
        return f"{at:.1f} s" if step < 1 else f"{at:.0f} s"
    hours, minutes, rest = int(at) // 3600, int(at) % 3600 // 60, int(at) % 60
    if hours:
        return f"{hours}:{minutes:02} h" if minutes else f"{hours} h"
    return f"{minutes}:{rest:02} min" if rest else f"{minutes} min"


def _stages(record: Record, begin: float, end: float) -> Iterator[Bar]:
    marks = [*record.states, ("", end)]
    for (state, start), (_, following) in pairwise(marks):
        if state in _STAGES:
            yield _bar(start, following, begin, end, state.lower(), state)


def _own_times(record: Record, begin: float, end: float) -> Iterator[Bar]:
    """The commands, drawn over the stage in which they ran."""
    for step in record.steps[:_MOST_COMMANDS]:
        if step.started and step.ended:
            yield _bar(step.started, step.ended, begin, end, _kind(step), f"command {step.number}: {step.command[:80]}")


def _bar(start: float, until: float, begin: float, end: float, kind: str, label: str) -> Bar:
    """A bar within the run: hosts' clocks may differ from the one that has the run's own times."""
    low = min(max(start - begin, 0.0), end - begin)
    return Bar(low, min(max(until - begin, low), end - begin), kind, label)


def _shares(record: Record, stages: tuple[Bar, ...], whole: float) -> tuple[Share, ...]:
    """Each stage; that of the commands as one part for each, and one for the time between them."""
    found: list[Share] = []
    for stage in stages:
        seconds, state = stage.end - stage.start, stage.label
        commands = [step for step in record.steps[:_MOST_COMMANDS] if step.started and step.ended]
        if state == State.PROCESSING and commands:
            for step in commands:
                took = min(max((step.ended or 0) - (step.started or 0), 0.0), seconds)
                found.append(Share(f"command {step.number}", step.command, _kind(step), took, took / whole))
            seconds = max(0.0, seconds - sum(share.seconds for share in found if share.name.startswith("command")))
            found.append(
                Share(
                    "around the commands", "starting learners, earlier attempts", "processing", seconds, seconds / whole
                )
            )
        else:
            found.append(Share(state, _STAGES[state], stage.kind, seconds, seconds / whole))
    return tuple(found)


def _kind(step: StepResult) -> str:
    return f"command-{min(step.number, 4)}"


def _lanes(record: Record, begin: float, end: float) -> Iterator[Lane]:
    """The ranks' or learners' lanes; none before the first command has ended: until then their times are not known."""
    for row in _rows(record) if record.steps else ():
        bars: list[Bar] = []
        failed: list[str] = []
        for step in record.steps[:_MOST_COMMANDS]:
            span, ok = _part(step, row)
            if span is None:
                continue
            label = f"command {step.number}: {step.command[:80]}, {duration(span[1] - span[0])}"
            bars.append(_bar(*span, begin, end, _kind(step) if ok else "failed", label))
            if not ok:
                failed.append(f"command {step.number} failed")
        yield Lane(row.name, row.detail, tuple(bars), ", ".join(failed))


@dataclass(frozen=True)
class _Row:
    """Whose times a lane shows; `once`: also those of commands that run once."""

    name: str
    detail: str
    learner: int
    ranks: tuple[int, ...]
    once: bool


def _rows(record: Record) -> Iterator[_Row]:
    """A row for each rank, or for each learner if there are many ranks."""
    for number, host, ranks in record.placement:
        where = host or f"learner {number}"
        if record.ranks <= _MOST_RANKS and ranks:
            for rank in ranks:
                yield _Row(f"rank {rank}", where, number, (rank,), number == 1 and rank == ranks[0])
        else:
            numbers = f"ranks {min(ranks)} to {max(ranks)}" if len(ranks) > 1 else "1 rank"
            yield _Row(where, numbers, number, ranks, number == 1)


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

"""What a report shows, decided: from its input to the values that the template prints. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from toolkit.report.amounts import duration, moment
from toolkit.report.charts import Charts, charts, letter
from toolkit.report.clocks import on_one_clock
from toolkit.report.differences import Differences, differences
from toolkit.report.facts import Command, Fact, commands, environment, figures, reported_once, results, tone, what_ran
from toolkit.report.model import ReportInput, RunInput
from toolkit.report.step_times import RankTime, rank_times, step_series
from toolkit.report.timeline import MOST_LANES, Timeline, timeline
from toolkit.run.records.record import Record

_MOST_EVIDENCE = 8000
_MOST_RANKS = 64


@dataclass(frozen=True)
class LogRow:
    """A line of the log; `at` is its time since the run began, as text."""

    at: str
    rank: str
    text: str


@dataclass(frozen=True)
class RunView:
    """One run. `letter` is empty if it is the only one; `ranks` are the slowest, `stragglers` how many are marked."""

    letter: str
    record: Record
    tone: str
    evidence: str
    figures: tuple[Fact, ...]
    timeline: Timeline | None
    ranks: tuple[RankTime, ...]
    ranks_left_out: int
    stragglers: int
    once: tuple[Fact, ...]
    what_ran: tuple[Fact, ...]
    commands: tuple[Command, ...]
    environment: tuple[Fact, ...]
    results: tuple[Fact, ...]
    log: tuple[LogRow, ...]
    log_left_out: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """The whole page."""

    title: str
    runs: tuple[RunView, ...]
    differences: Differences
    charts: Charts
    made_at: str
    version: str
    refresh: int


def view_of(report: ReportInput) -> View:
    """Everything that the page shows."""
    report = replace(report, runs=tuple(on_one_clock(run) for run in report.runs))
    several, most = len(report.runs) > 1, MOST_LANES // max(1, len(report.runs))
    runs = tuple(_run(run, letter(at) if several else "", report.made_at, most) for at, run in enumerate(report.runs))
    title = (
        f"{len(runs)} runs compared" if several else f"{report.runs[0].record.name} {report.runs[0].record.training_id}"
    )
    return View(
        title=title,
        runs=runs,
        differences=differences(report.runs),
        charts=charts(report),
        made_at=moment(report.made_at),
        version=report.version,
        refresh=report.refresh,
    )


def _run(run: RunInput, name: str, now: float, lanes: int) -> RunView:
    record = run.record
    ranks = rank_times(step_series(run.metrics))
    begin = record.states[0][1] if record.states else 0.0
    return RunView(
        letter=name,
        record=record,
        tone=tone(record),
        evidence=record.evidence[-_MOST_EVIDENCE:],
        figures=figures(record, now),
        timeline=timeline(record, now, lanes),
        ranks=ranks[:_MOST_RANKS],
        ranks_left_out=max(0, len(ranks) - _MOST_RANKS),
        stragglers=sum(rank.is_straggler for rank in ranks),
        once=reported_once(run.metrics),
        what_ran=what_ran(record),
        commands=commands(record),
        environment=environment(record),
        results=results(record),
        log=tuple(LogRow(_since(line.at, begin), line.rank, line.text) for line in run.log.lines),
        log_left_out=run.log.left_out,
        notes=run.notes,
    )


def _since(at: float, begin: float) -> str:
    if not at:
        return ""
    seconds = max(0.0, at - begin)
    return f"+{seconds:.1f} s" if seconds < 60 else f"+{duration(seconds)}"

"""What a report is made from. Values."""

from __future__ import annotations

from dataclasses import dataclass, field

from toolkit.metrics.series import RunMetrics
from toolkit.run.comparison.conditions import Conditions
from toolkit.run.records.record import Record


@dataclass(frozen=True)
class LogLine:
    """One line of a run's output.

    Attributes:
        at: seconds since 1970; 0 if it has no time.
        rank: `0`, `learner-2`, `toolkit`; empty if the line names none.
    """

    at: float
    rank: str
    text: str


@dataclass(frozen=True)
class LogExcerpt:
    """The last lines of a run's output, and how many came before."""

    lines: tuple[LogLine, ...] = ()
    left_out: int = 0


@dataclass(frozen=True)
class RunInput:
    """One run of a report; `notes` say what could not be read, and why.

    `conditions` is what decides its result; None if the launch did not keep that here.
    """

    record: Record
    metrics: RunMetrics = field(default_factory=RunMetrics)
    log: LogExcerpt = field(default_factory=LogExcerpt)
    notes: tuple[str, ...] = ()
    conditions: Conditions | None = None


@dataclass(frozen=True)
class ReportInput:
    """Runs in the order in which they were named.

    Attributes:
        made_at: seconds since 1970.
        version: of the tool.
        refresh: seconds after which the page is loaded again; 0 for never.
    """

    runs: tuple[RunInput, ...]
    made_at: float
    version: str
    refresh: int = 0

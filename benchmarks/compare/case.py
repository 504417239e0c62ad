"""One comparison, as a value, and what came of it."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """Ours beside a peer.

    Attributes:
        name: for the command line and the JSON, such as `cli-help`.
        title: what is measured, for the table.
        peer: what it is compared with, for the table.
        aim: the highest ratio, ours divided by the peer's, that is good enough; None: shown for comparison.
        ours, theirs: one measurement each, in `unit`; called in turn.
        reason: why the aim is missed, where it is.
        rounds: how many measurements of each. Default 5.
    """

    name: str
    title: str
    peer: str
    aim: float | None
    ours: Callable[[], float]
    theirs: Callable[[], float]
    reason: str = ""
    rounds: int = 5
    unit: str = "s"


@dataclass(frozen=True)
class Outcome:
    """The measurements of a case, in the order in which they were made."""

    name: str
    title: str
    peer: str
    aim: float | None
    unit: str
    ours: list[float]
    theirs: list[float]
    reason: str = ""
    date: str = ""
    load: float = 0.0
    machine: dict[str, str] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return statistics.median(self.ours) / statistics.median(self.theirs)

    @property
    def is_met(self) -> bool:
        """Whether the ratio is within the aim, if there is one."""
        return self.aim is None or self.ratio <= self.aim

    def spread(self) -> tuple[float, float]:
        """The lowest and the highest ratio of two measurements made one after the other."""
        ratios = [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]
        return min(ratios), max(ratios)

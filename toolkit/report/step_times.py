"""Each rank's time per step, and which ranks are slower than the others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from toolkit.metrics.series import Point, RunMetrics, Series

SLOWER = 1.1
"""A rank is a straggler if its median is more than this times the median of all ranks' medians."""
NAME = "time per step"
REPORTED = "step_time"
"""In seconds: Keras's own lines, and programs that measure it."""


@dataclass(frozen=True)
class RankTime:
    """One rank's times per step, in seconds; `ratio` is its median over that of all ranks."""

    source: str
    median: float
    longest: float
    count: int
    ratio: float

    @property
    def is_straggler(self) -> bool:
        """Whether it is slower than the others."""
        return self.ratio > SLOWER


def step_series(metrics: RunMetrics) -> tuple[Series, ...]:
    """A series of seconds per step for each rank: as reported, else the time between its metrics' steps."""
    reported = [series for series in metrics.ranks if series.name == REPORTED and series.points]
    return tuple(reported) or tuple(_between(series) for series in _longest(metrics.ranks))


def rank_times(series: Iterable[Series]) -> tuple[RankTime, ...]:
    """Each rank's times, the slowest first; empty without any."""
    values = {one.source: [point.value for point in one.points] for one in series if one.points}
    if not values:
        return ()
    middle = median(median(times) for times in values.values())
    found = [
        RankTime(source, median(times), max(times), len(times), median(times) / middle if middle > 0 else 1.0)
        for source, times in values.items()
    ]
    return tuple(sorted(found, key=lambda rank: (-rank.ratio, rank.source)))


def _longest(ranks: Sequence[Series]) -> tuple[Series, ...]:
    """Of each rank the series with the most steps that grow; ranks without any are left out."""
    best: dict[str, Series] = {}
    for series in ranks:
        steps = sum(1 for _ in _growing(series.points))
        if steps and steps > sum(1 for _ in _growing(best[series.source].points if series.source in best else ())):
            best[series.source] = series
    return tuple(best.values())


def _between(series: Series) -> Series:
    points = tuple(
        Point(new.at, (new.at - old.at) / (new.step - old.step), new.step)
        for old, new in _growing(series.points)
        if new.step is not None and old.step is not None
    )
    return Series(NAME, series.source, "seconds", points)


def _growing(points: Iterable[Point]) -> Iterable[tuple[Point, Point]]:
    return (
        (old, new)
        for old, new in pairwise(points)
        if old.step is not None and new.step is not None and new.step > old.step and new.at >= old.at
    )

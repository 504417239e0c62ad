"""Measurements as they come, kept as series of bounded length: programs may report more than anyone can look at."""

from __future__ import annotations

import math
from collections.abc import Iterable

from toolkit.metrics.series import Point, Series

MOST_POINTS = 4096
"""Of one series; when there are more, every second is dropped, and from then on as many fewer are kept."""
MOST_SERIES = 512
LONGEST_NAME = 120


class Collected:
    """Series under construction; further ones than `most_series` are left out."""

    def __init__(self, most_points: int = MOST_POINTS, most_series: int = MOST_SERIES) -> None:
        self._most_points, self._most_series = most_points, most_series
        self._found: dict[tuple[str, str], _Thinned] = {}

    def add(self, source: str, name: str, unit: str, point: Point) -> None:
        """Add a point. One that is no number is left out; one of the same step as the one before takes its place."""
        if not math.isfinite(point.value) or not math.isfinite(point.at):
            return
        key = source[:LONGEST_NAME], name[:LONGEST_NAME]
        if key not in self._found:
            if len(self._found) >= self._most_series:
                return
            self._found[key] = _Thinned(unit, self._most_points)
        self._found[key].add(point)

    def series(self) -> tuple[Series, ...]:
        """All of them, by source and name, each in the order of time."""
        found = [
            Series(name, source, kept.unit, tuple(sorted(kept.points(), key=lambda point: point.at)))
            for (source, name), kept in self._found.items()
        ]
        return tuple(sorted(found, key=lambda one: (_in_order(one.source), one.name)))


def _in_order(source: str) -> tuple[str, int]:
    """`rank 2` before `rank 10`."""
    words, _, number = source.rpartition(" ")
    return (words, int(number)) if number.isdecimal() and len(number) < 10 else (source, 0)


class _Thinned:
    """The points of one series: every `_each`-th that came, and always the last."""

    def __init__(self, unit: str, most: int) -> None:
        self.unit = unit
        self._most, self._each, self._skipped = most, 1, 0
        self._points: list[Point] = []
        self._last: Point | None = None

    def add(self, point: Point) -> None:
        last, self._last = self._last, point
        if last is None or (point.step is not None and point.step == last.step):
            return
        self._skipped += 1
        if self._skipped < self._each:
            return
        self._skipped = 0
        self._points.append(last)
        if len(self._points) >= self._most - 1:
            self._points, self._each = self._points[::2], self._each * 2

    def points(self) -> Iterable[Point]:
        return [*self._points, *([self._last] if self._last else [])]

"""Which charts a report has, and the lines in each: bounded, thinned. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from toolkit.metrics.series import Series
from toolkit.report.model import ReportInput, RunInput
from toolkit.report.step_times import NAME, REPORTED, step_series
from toolkit.report.thinning import XY, extremes, largest_triangles

MOST_CHARTS = 16
"""Of the training, and of the hosts."""
_MOST_LINES = 8
_MOST_POINTS, _POINTS_OF_A_LINE, _FEWEST_POINTS = 20_000, 480, 24
_BINS = 240
_FARTHEST = 1 << 53
_FIRST = ("loss", "val_loss", "accuracy", "val_accuracy")
_HOSTS_FIRST = (
    *("cpu", "cpu.learners", "gpu utilisation", "gpu memory", "gpu power", "gpu temperature"),
    *("memory", "memory.learners", "memory.free", "mounts", "network.received", "network.sent"),
    *("disk.read", "disk.written", "disk.free"),
)
_GPU = re.compile(r"^(gpu) ?(\d+)[. _](.+)$")


@dataclass(frozen=True)
class ChartLine:
    """One line: `colour` is its place in the palette; `points` are drawn, the numbers are of all that there were."""

    label: str
    colour: int
    dashed: bool
    points: tuple[XY, ...]
    first: float
    last: float
    lowest: float
    highest: float
    count: int


@dataclass(frozen=True)
class Chart:
    """A quantity over steps, or over seconds since its run began (`by`: `step` or `time`); `remark` may be empty."""

    key: str
    title: str
    unit: str
    by: str
    lines: tuple[ChartLine, ...]
    remark: str = ""


@dataclass(frozen=True)
class Charts:
    """The charts of the training, and of the hosts; how many more of either there would be."""

    training: tuple[Chart, ...]
    hosts: tuple[Chart, ...]
    more_training: int = 0
    more_hosts: int = 0


@dataclass(frozen=True)
class _Raw:
    """A line before it is thinned; `run` is the place of its run, `bad` how many values are not drawn."""

    label: str
    run: int
    points: tuple[XY, ...]
    bad: int = 0


@dataclass(frozen=True)
class _Drawing:
    """A chart before its lines are thinned; `by_run`: whether each line is a run's."""

    title: str
    unit: str
    by: str
    by_run: bool
    lines: tuple[_Raw, ...]
    remark: str


def charts(report: ReportInput) -> Charts:
    """The charts of a report, and the points of each line that are drawn."""
    training = _drawings(_training(report.runs), report.runs, by_step=True)
    hosts = _drawings(_hosts(report.runs), report.runs, by_step=False)
    lines = sum(len(one.lines) for one in (*training[:MOST_CHARTS], *hosts[:MOST_CHARTS]))
    most = max(_FEWEST_POINTS, min(_POINTS_OF_A_LINE, _MOST_POINTS // max(1, lines)))
    return Charts(
        tuple(_chart(f"t{at}", one, most, largest_triangles) for at, one in enumerate(training[:MOST_CHARTS])),
        tuple(_chart(f"h{at}", one, most, extremes) for at, one in enumerate(hosts[:MOST_CHARTS])),
        len(training[MOST_CHARTS:]),
        len(hosts[MOST_CHARTS:]),
    )


_Group = list[tuple[int, str, Series]]
"""Series of one quantity, each with its run's place and its own label."""


def _training(runs: Sequence[RunInput]) -> list[tuple[str, _Group]]:
    found: dict[str, _Group] = {}
    steps: _Group = []
    for at, run in enumerate(runs):
        for series in run.metrics.ranks:
            if series.name != REPORTED:
                found.setdefault(series.name, []).append((at, series.source, series))
        steps += [(at, series.source, series) for series in step_series(run.metrics)]
    return _ordered(found, _FIRST) + ([(NAME, steps)] if steps else [])


def _hosts(runs: Sequence[RunInput]) -> list[tuple[str, _Group]]:
    found: dict[str, _Group] = {}
    for at, run in enumerate(runs):
        for series in run.metrics.hosts:
            match = _GPU.match(series.name)
            name = f"{match[1]} {match[3]}" if match else series.name
            label = f"{series.source} gpu{match[2]}" if match else series.source
            found.setdefault(name, []).append((at, label, series))
    return _ordered(found, _HOSTS_FIRST)


def _ordered(found: dict[str, _Group], first: Sequence[str]) -> list[tuple[str, _Group]]:
    """The quantities that everyone asks for first, the others in the order in which they came."""
    place = {name: at for at, name in enumerate(first)}
    return sorted(found.items(), key=lambda item: place.get(item[0], len(first)))


def _drawings(groups: Iterable[tuple[str, _Group]], runs: Sequence[RunInput], *, by_step: bool) -> list[_Drawing]:
    drawings = (_drawn(name, group, runs, by_step=by_step) for name, group in groups)
    return [one for one in drawings if one]


def _drawn(name: str, group: _Group, runs: Sequence[RunInput], *, by_step: bool) -> _Drawing | None:
    """The chart of a quantity: a line for each source, or each run if there are several; None if it has no course."""
    steps = by_step and all(point.step is not None for _, _, series in group for point in series.points)
    raw = [_raw(at, label, series, runs[at], steps) for at, label, series in group]
    bad, all_points = sum(one.bad for one in raw), sum(len(one.points) + one.bad for one in raw)
    raw = [one for one in raw if one.points]
    if all(len(one.points) + one.bad < 2 for one in raw) and bad < 2:
        return None
    remarks = [f"{bad} of {all_points} values are not finite numbers and are not drawn."] if bad else []
    if len(runs) > 1:
        if len(raw) > len(runs):
            remarks.append("Of each run the median over its sources.")
        raw = _one_for_each_run(raw)
    elif len(raw) > _MOST_LINES:
        remarks.append(f"Lowest, median and highest of {len(raw)} sources.")
        raw = _spread(raw)
    by = "step" if steps else "time"
    return _Drawing(name, group[0][2].unit, by, len(runs) > 1, tuple(raw), " ".join(remarks))


def _raw(at: int, label: str, series: Series, run: RunInput, by_step: bool) -> _Raw:
    states = run.record.states
    begin = states[0][1] if states else series.points[0].at if series.points else 0.0
    points = [((p.step or 0) if by_step else p.at - begin, p.value) for p in series.points]
    finite = sorted((float(x), y) for x, y in points if abs(x) < _FARTHEST and math.isfinite(y))
    return _Raw(label, at, tuple(finite), len(points) - len(finite))


def _one_for_each_run(raw: Sequence[_Raw]) -> list[_Raw]:
    runs = dict.fromkeys(one.run for one in raw)
    own = {run: [one for one in raw if one.run == run] for run in runs}
    return [
        _Raw(letter(run), run, lines[0].points if len(lines) == 1 else _binned(lines, median))
        for run, lines in own.items()
    ]


def letter(run: int) -> str:
    """`run A` for the first."""
    return f"run {chr(ord('A') + run)}"


def _spread(raw: Sequence[_Raw]) -> list[_Raw]:
    return [
        _Raw("highest", 0, _binned(raw, max)),
        _Raw("median", 0, _binned(raw, median)),
        _Raw("lowest", 0, _binned(raw, min)),
    ]


def _binned(raw: Sequence[_Raw], over: Callable[[Iterable[float]], float]) -> tuple[XY, ...]:
    """One line for many: in each of equally wide bins, `over` the latest values of the lines that have not ended."""
    low = min(one.points[0][0] for one in raw)
    high = max(one.points[-1][0] for one in raw)
    width = (high - low) / _BINS or 1.0
    bins: dict[int, dict[int, XY]] = {}
    for at, one in enumerate(raw):
        for x, y in one.points:
            bins.setdefault(int((x - low) / width), {})[at] = (x, y)
    latest: dict[int, XY] = {}
    found: list[XY] = []
    for at in sorted(bins):
        latest |= bins[at]
        begin, end = low + at * width, max(x for x, _ in bins[at].values())
        found.append((end, float(over([y for one, (_, y) in latest.items() if raw[one].points[-1][0] >= begin]))))
    return tuple(found)


def _chart(key: str, one: _Drawing, most: int, thin: Callable[[Sequence[XY], int], tuple[XY, ...]]) -> Chart:
    lines = []
    for at, raw in enumerate(one.lines):
        values = [y for _, y in raw.points]
        line = ChartLine(
            label=raw.label,
            colour=raw.run if one.by_run else at,
            dashed=one.by_run and raw.run > 0,
            points=thin(raw.points, most),
            first=values[0],
            last=values[-1],
            lowest=min(values),
            highest=max(values),
            count=len(values),
        )
        lines.append(line)
    return Chart(key, one.title, one.unit, one.by, tuple(lines), one.remark)

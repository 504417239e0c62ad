"""The stages of a run's hosts as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.agent.host_stages import HostStages
from toolkit.cli.columns import aligned
from toolkit.run.records.stage_times import StageTime, stage_times


def stage_lines(hosts: Sequence[HostStages]) -> Iterator[str]:
    """A table: the time of each stage, of several hosts the shortest, the median and the longest; empty without any."""
    times = stage_times(hosts)
    if not times:
        return
    if len(hosts) == 1:
        rows = [["stage", "clock", "time"], *([one.name, _clock(one), _seconds(one.longest)] for one in times)]
    else:
        rows = [["stage", "clock", "shortest", "median", "longest", "on"]]
        for one in times:
            spread = [_seconds(value) for value in (one.shortest, one.median, one.longest)]
            rows.append([one.name, _clock(one), *spread, one.slowest])
    notes = ["", *(one.note for one in times)]
    yield from aligned([[*row, note] for row, note in zip(rows, notes, strict=True)], right=(2, 3, 4))


def _clock(one: StageTime) -> str:
    return "host" if one.is_own else "operator"


def _seconds(value: float) -> str:
    return f"{value:.1f} s"

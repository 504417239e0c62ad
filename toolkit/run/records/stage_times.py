"""How long the hosts of a run were in each stage: the shortest, the median and the longest time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from toolkit.agent.host_stages import RAN, STAGES, HostStage, HostStages


@dataclass(frozen=True)
class StageTime:
    """The seconds that hosts were in a stage; `slowest` is the host that took longest.

    `is_own`: timed by the hosts' own clocks, else by the operator's. `note`: what all of them say of it, if they agree.
    """

    name: str
    is_own: bool
    hosts: int
    shortest: float
    median: float
    longest: float
    slowest: str
    note: str


def stage_times(hosts: Sequence[HostStages]) -> tuple[StageTime, ...]:
    """Of each stage that any of the hosts went through, in the order in which they come."""
    found: dict[str, dict[str, list[HostStage]]] = {}
    for host in hosts:
        for stage in (*host.operator_clock, *host.host_clock):
            found.setdefault(stage.name, {}).setdefault(host.host, []).append(stage)
    place = {name: at for at, name in enumerate(STAGES)}
    names = sorted(found, key=lambda name: place.get(name, len(place)))
    return tuple(_times(name, found[name]) for name in names)


def seconds_in(host: HostStages) -> dict[str, float]:
    """The seconds that one host was in each stage."""
    return {one.name: one.longest for one in stage_times((host,))}


def clocks_said(hosts: Sequence[HostStages]) -> str:
    """How the hosts' clocks stood to the operator's; empty if they were not compared."""
    compared = [(host, host.offset) for host in hosts if host.offset]
    if not compared:
        return ""
    off = [(host, offset) for host, offset in compared if host.ahead]
    if not off:
        return f"agree with the operator's within {max(offset.error for _, offset in compared):.2f} s"
    host, offset = max(off, key=lambda pair: abs(pair[1].ahead))
    how = "ahead of" if offset.ahead > 0 else "behind"
    which = f"{len(off)} hosts differ, most of all {host.host}" if len(off) > 1 else host.host or "this machine"
    return f"{which}: {abs(offset.ahead):.2f} s {how} the operator's (± {offset.error:.2f} s)"


def _times(name: str, hosts: dict[str, list[HostStage]]) -> StageTime:
    seconds = {host: sum(one.end - one.start for one in stages) for host, stages in hosts.items()}
    slowest = max(seconds, key=lambda host: seconds[host])
    notes = {stage.note for stages in hosts.values() for stage in stages}
    return StageTime(
        name=name,
        is_own=name in RAN,
        hosts=len(seconds),
        shortest=min(seconds.values()),
        median=median(seconds.values()),
        longest=seconds[slowest],
        slowest=slowest,
        note=notes.pop() if len(notes) == 1 else "",
    )

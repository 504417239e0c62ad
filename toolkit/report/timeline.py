"""Where a run's time went: its stages, its commands, its hosts, and its ranks' parts. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.agent.host_stages import RAN
from toolkit.report.lanes import (
    MOST_COMMANDS,
    Bar,
    Lane,
    Span,
    host_lanes,
    kind_of,
    kind_of_stage,
    prepared_lanes,
    run_lane,
    stage_bars,
)
from toolkit.run.records.record import Record, State
from toolkit.run.records.stage_times import StageTime, clocks_said, seconds_in, stage_times

MOST_LANES = 64
_NICE = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_MOST_TICKS = 5
_SEEN = 0.25
"""The part of an axis in which stages can still be distinguished."""
_STATES: dict[str, str] = {
    State.QUEUED: "checking hosts, waiting for them, sending images",
    State.PENDING: "checking keys and buckets",
    State.DOWNLOADING: "mounting buckets, copying the code",
    State.PROCESSING: "running the commands",
    State.STORING: "storing and verifying the results",
}
_STAGES = {
    "check": "what the host has",
    "lease": "until it is the run's own",
    "image": "looking it up, sending it",
    "agent": "starting the run's first container",
    "files": "copying code, ssh keys and plans",
    "mounts": "passing keys, mounting buckets",
    "learners": "starting their containers",
    "processing": "from the start signal to the learners' end",
    "uploading": "until no file waits any more",
    "verifying": "comparing folder and bucket",
    "collecting": "the other hosts' reports",
}


@dataclass(frozen=True)
class Share:
    """A stage or a command, its seconds, and its part of the whole run (0 to 1)."""

    name: str
    detail: str
    kind: str
    seconds: float
    part: float


@dataclass(frozen=True)
class StageRow:
    """A stage of the hosts: the kind that selects its colour, what it is, its times."""

    kind: str
    what: str
    times: StageTime


@dataclass(frozen=True)
class HostTimes:
    """The seconds of one host in each of the stages of `Timeline.stages`; None for one that it did not go through."""

    name: str
    seconds: tuple[float | None, ...]


@dataclass(frozen=True)
class Panel:
    """Rows over one axis of `seconds`; `ticks` are where it has a label; `left_out` is how many rows are not shown."""

    seconds: float
    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, str], ...]
    left_out: int = 0

    @property
    def is_dense(self) -> bool:
        """Whether there are so many rows that they are drawn smaller."""
        return len(self.lanes) > 24


@dataclass(frozen=True)
class Timeline(Panel):
    """The whole run. `preparation` has the hosts until the start signal on an axis of their own, if that is too short
    to be seen on the whole one's.

    `stages` are those of the hosts, in numbers for each of `hosts`; `clocks` says how their clocks stood to the
    operator's. All three are empty in records of earlier versions.
    """

    shares: tuple[Share, ...] = ()
    preparation: Panel | None = None
    stages: tuple[StageRow, ...] = ()
    hosts: tuple[HostTimes, ...] = ()
    clocks: str = ""


def timeline(record: Record, now: float, most: int = MOST_LANES) -> Timeline | None:
    """The run's time, up to `now` (seconds since 1970) if it has not ended; None if it has not begun.

    Args:
        most: of the rows below the run's.
    """
    if not record.states:
        return None
    begin = record.states[0][1]
    span = Span(begin, max(record.states[-1][1] if record.final else now, begin + 1e-3))
    lanes = tuple(host_lanes(record, span))
    stages = stage_times(record.host_stages)
    seconds = [(host.host, seconds_in(host)) for host in record.host_stages[:MOST_LANES]]
    return Timeline(
        span.seconds,
        (run_lane(record, span), *lanes[:most]),
        ticks(span.seconds),
        len(lanes[most:]),
        _shares(record, stage_bars(record, span), span.seconds),
        _preparation(record, span, most),
        tuple(StageRow(kind_of_stage(one.name), _STAGES.get(one.name, ""), one) for one in stages),
        tuple(HostTimes(name or "this machine", tuple(own.get(one.name) for one in stages)) for name, own in seconds),
        clocks_said(record.host_stages),
    )


def _preparation(record: Record, span: Span, most: int) -> Panel | None:
    """Until the last host had its start signal, or so far."""
    signals = [stage.start for host in record.host_stages for stage in host.host_clock if stage.name == RAN[0]]
    signals = signals or [at for state, at in record.states if state == State.PROCESSING]
    if not record.host_stages or not signals or max(signals) - span.begin > _SEEN * span.seconds:
        return None
    early = Span(span.begin, max(*signals, span.begin + 1e-3))
    lanes = tuple(prepared_lanes(record, early))
    return Panel(early.seconds, lanes[:most], ticks(early.seconds), len(lanes[most:]))


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


def _shares(record: Record, stages: tuple[Bar, ...], whole: float) -> tuple[Share, ...]:
    """Each stage; that of the commands as one part for each, and one for the time between them."""
    found: list[Share] = []
    for stage in stages:
        seconds, state = stage.end - stage.start, stage.label
        commands = [step for step in record.steps[:MOST_COMMANDS] if step.started and step.ended]
        if state == State.PROCESSING and commands:
            for step in commands:
                took = min(max((step.ended or 0) - (step.started or 0), 0.0), seconds)
                found.append(Share(f"command {step.number}", step.command, kind_of(step), took, took / whole))
            seconds = max(0.0, seconds - sum(share.seconds for share in found if share.name.startswith("command")))
            found.append(
                Share(
                    "around the commands", "starting learners, earlier attempts", "processing", seconds, seconds / whole
                )
            )
        else:
            found.append(Share(state, _STATES[state], stage.kind, seconds, seconds / whole))
    return tuple(found)

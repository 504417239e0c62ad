"""All times of a run by one clock, the operator's, as far as the hosts' clocks were compared with it. Pure.

A run's states are timed by the operator's clock until it is DOWNLOADING, then by that of learner 1's host; ranks, loads
and later stages by each host's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from toolkit.agent.host_stages import HostStage
from toolkit.metrics.series import RunMetrics, Series
from toolkit.report.model import RunInput
from toolkit.run.records.record import Record, State, StepResult

_BY_OPERATOR = (State.QUEUED, State.PENDING, State.DOWNLOADING)


def on_one_clock(run: RunInput) -> RunInput:
    """The run with the times of hosts whose clocks differ moved to the operator's."""
    ahead = {host.host: host.ahead for host in run.record.host_stages}
    if not any(ahead.values()):
        return run
    first = ahead[run.record.host_stages[0].host]
    log = replace(run.log, lines=tuple(replace(line, at=line.at - first if line.at else 0) for line in run.log.lines))
    return replace(run, record=_record(run.record, ahead, first), metrics=_metrics(run.metrics, ahead, first), log=log)


def _record(record: Record, ahead: Mapping[str, float], first: float) -> Record:
    states = tuple((state, at if state in _BY_OPERATOR else at - first) for state, at in record.states)
    if not record.reached(State.PROCESSING):
        states = record.states  # it ended before the start signal: the operator says so
    hosts = tuple(replace(host, host_clock=tuple(_moved(host.host_clock, host.ahead))) for host in record.host_stages)
    steps = tuple(_step(step, record, ahead, first) for step in record.steps)
    return replace(record, states=states, steps=steps, host_stages=hosts)


def _moved(stages: Iterable[HostStage], ahead: float) -> Iterable[HostStage]:
    return (replace(stage, start=stage.start - ahead, end=stage.end - ahead) for stage in stages)


def _step(step: StepResult, record: Record, ahead: Mapping[str, float], first: float) -> StepResult:
    """Learner 1's supervisor times a command, each host its ranks' parts of it."""
    hosts = {number - 1: host for number, host, _ in record.placement}
    if step.each == "rank":
        hosts = {rank: host for _, host, ranks in record.placement for rank in ranks}
    moves = [ahead.get(hosts.get(process, ""), 0.0) for process in range(len(step.times))]
    times = tuple(span and (span[0] - move, span[1] - move) for span, move in zip(step.times, moves, strict=True))
    started, ended = (None if at is None else at - first for at in (step.started, step.ended))
    return replace(step, times=times, started=started, ended=ended)


def _metrics(metrics: RunMetrics, ahead: Mapping[str, float], first: float) -> RunMetrics:
    """Lines of all ranks get their times on learner 1's host."""
    ranks = tuple(_series(one, first) for one in metrics.ranks)
    return replace(metrics, ranks=ranks, hosts=tuple(_series(one, ahead.get(one.source, 0.0)) for one in metrics.hosts))


def _series(series: Series, ahead: float) -> Series:
    return replace(series, points=tuple(replace(point, at=point.at - ahead) for point in series.points))

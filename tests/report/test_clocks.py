"""All times of a run by one clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolkit.agent.host_stages import ClockOffset
from toolkit.report.clocks import on_one_clock
from toolkit.report.model import RunInput
from toolkit.run.records.record import State

from .runs import BEGIN, log, metrics, record, staged


def with_offsets(*ahead: float) -> RunInput:
    """A run with the clocks of its hosts ahead by this; its other times are as they were."""
    run = staged(record())
    hosts = (replace(host, offset=ClockOffset(one, 0.05)) for host, one in zip(run.host_stages, ahead, strict=True))
    return RunInput(replace(run, host_stages=tuple(hosts)), metrics(run), log(run))


@pytest.mark.parametrize("ahead", [(0.0, 0.0), (0.05, -0.05)])
def test_clocks_that_agree_move_nothing(ahead: tuple[float, float]) -> None:
    run = with_offsets(*ahead)
    assert on_one_clock(run) is run


def test_times_of_a_host_are_moved_by_its_offset_and_the_operators_are_not() -> None:
    run = with_offsets(0.0, 90.0)
    moved = on_one_clock(run).record
    assert moved.states == run.record.states
    assert moved.host_stages[0] == run.record.host_stages[0]
    assert moved.host_stages[1].operator_clock == run.record.host_stages[1].operator_clock
    before, after = run.record.host_stages[1].host_clock, moved.host_stages[1].host_clock
    assert [(one.start - new.start, one.end - new.end) for one, new in zip(before, after, strict=True)] == [
        (90, 90)
    ] * 3
    spans = zip(run.record.steps[0].times, moved.steps[0].times, strict=True)
    assert [old[0] - new[0] for old, new in spans if old and new] == [0, 0, 90, 90]


def test_states_and_lines_after_the_start_signal_are_by_the_clock_of_learner_1s_host() -> None:
    run = with_offsets(-30.0, 0.0)
    moved = on_one_clock(run)
    differences = [new[1] - old[1] for old, new in zip(run.record.states, moved.record.states, strict=True)]
    assert differences == [0, 0, 0, 30, 30, 30]
    assert [step.started for step in moved.record.steps] == [(step.started or 0) + 30 for step in run.record.steps]
    assert moved.log.lines[0].at == run.log.lines[0].at + 30
    assert moved.metrics.ranks[3].points[0].at == run.metrics.ranks[3].points[0].at + 30
    sources = {series.source: series.points[0].at - BEGIN for series in moved.metrics.hosts}
    assert sources == {"p100-01": 30, "p100-02": 0}


def test_a_run_that_never_started_ended_by_the_operators_clock() -> None:
    run = with_offsets(-30.0, 0.0)
    early = replace(run.record, state=State.FAILED, states=(*run.record.states[:3], ("FAILED", BEGIN + 50)), steps=())
    assert on_one_clock(replace(run, record=early)).record.states == early.states

"""Which ranks are slower than the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolkit.metrics.series import Point, RunMetrics, Series
from toolkit.report.step_times import RankTime, rank_times, step_series

from .runs import metrics, record


def series(rank: int, *seconds: float) -> Series:
    return Series(
        "step_time", f"rank {rank}", "seconds", tuple(Point(at, value, at) for at, value in enumerate(seconds))
    )


def test_a_rank_is_a_straggler_above_eleven_tenths_of_the_median_of_the_medians() -> None:
    found = rank_times([series(0, 1.0, 1.0, 9.0), series(1, 1.0), series(2, 1.1), series(3, 1.11, 1.11)])
    # The medians are 1, 1, 1.1 and 1.11: their median is 1.05.
    assert [(rank.source, rank.is_straggler) for rank in found] == [
        *(("rank 3", False), ("rank 2", False), ("rank 0", False), ("rank 1", False)),
    ]
    slow = rank_times([series(0, 1.0), series(1, 1.0), series(2, 1.0), series(3, 1.11)])
    assert slow[0] == RankTime("rank 3", 1.11, 1.11, 1, pytest.approx(1.11))
    assert [rank.is_straggler for rank in slow] == [True, False, False, False]


def test_one_long_step_makes_no_straggler() -> None:
    assert not any(rank.is_straggler for rank in rank_times([series(0, 1, 1, 50), series(1, 1, 1, 1)]))


def test_no_times_and_times_of_zero() -> None:
    assert rank_times([]) == ()
    assert rank_times([series(0)]) == ()
    assert [rank.ratio for rank in rank_times([series(0, 0.0), series(1, 0.0)])] == [1.0, 1.0]


def test_reported_times_are_taken() -> None:
    found = step_series(metrics(record(), slow=3))
    assert [(one.name, one.source) for one in found] == [("step_time", f"rank {rank}") for rank in range(4)]
    assert [rank.source for rank in rank_times(found) if rank.is_straggler] == ["rank 3"]


def test_without_them_the_time_between_two_steps_of_a_metric_counts() -> None:
    loss = Series(
        "loss", "rank 0", "", (Point(10, 2.0, 100), Point(30, 1.0, 200), Point(31, 1.0, 200), Point(90, 0.5, 500))
    )
    other = replace(loss, name="lr", points=loss.points[:2])
    assert step_series(RunMetrics((other, loss))) == (
        Series("time per step", "rank 0", "seconds", (Point(30, 0.2, 200), Point(90, pytest.approx(59 / 300), 500))),
    )


def test_metrics_without_steps_give_no_times() -> None:
    assert step_series(RunMetrics((Series("loss", "rank 0", "", (Point(1, 1.0), Point(2, 1.0))),))) == ()

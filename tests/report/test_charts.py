"""Which charts a report has, and the lines in each."""

from __future__ import annotations

import math
from dataclasses import replace

from toolkit.metrics.series import Point, RunMetrics, Series
from toolkit.report.charts import MOST_CHARTS, Chart, Charts, charts
from toolkit.report.model import ReportInput, RunInput

from .runs import BEGIN, metrics, one_run, record, two_runs


def report(ranks: tuple[Series, ...] = (), hosts: tuple[Series, ...] = ()) -> ReportInput:
    return ReportInput((RunInput(record(), RunMetrics(ranks, hosts)),), BEGIN, "0")


def series(source: str, values: list[float], name: str = "loss", unit: str = "") -> Series:
    return Series(name, source, unit, tuple(Point(BEGIN + at, value, at) for at, value in enumerate(values)))


def lines(chart: Chart) -> list[str]:
    return [line.label for line in chart.lines]


def test_the_loss_is_first_and_step_times_last() -> None:
    found = charts(one_run())
    training, hosts = found.training, found.hosts
    assert [(chart.title, chart.by, chart.unit) for chart in training] == [
        *(("loss", "step", ""), ("accuracy", "step", ""), ("time per step", "step", "seconds")),
    ]
    assert [chart.title for chart in hosts] == ["cpu", "gpu utilisation", "gpu memory", "memory", "network.sent"]
    assert lines(hosts[1]) == ["p100-01 gpu0", "p100-01 gpu1", "p100-02 gpu0", "p100-02 gpu1"]
    assert {chart.by for chart in hosts} == {"time"}


def test_a_metric_that_is_called_like_step_times_has_a_chart_of_its_own() -> None:
    own = series("rank 0", [1.0, 2.0, 3.0], "time per step")
    assert [lines(chart) for chart in charts(report((own,))).training] == [["rank 0"], ["rank 0"]]
    assert [chart.unit for chart in charts(report((own,))).training] == ["", "seconds"]


def test_a_line_keeps_the_numbers_of_all_its_points() -> None:
    values = [float(value) for value in range(5000)]
    (chart,) = charts(report(hosts=(series("host", values, "cpu", "percent"),))).hosts
    (line,) = chart.lines
    assert (line.first, line.last, line.lowest, line.highest, line.count) == (0, 4999, 0, 4999, 5000)
    assert len(line.points) == 480
    assert (line.points[0], line.points[-1]) == ((0.0, 0.0), (4999.0, 4999.0))


def test_many_sources_become_three_lines() -> None:
    ranks = tuple(series(f"rank {rank}", [rank + 10.0 * at for at in range(5)]) for rank in range(9))
    chart = charts(report(ranks)).training[0]
    assert lines(chart) == ["highest", "median", "lowest"]
    assert [line.points[1] for line in chart.lines] == [(1.0, 18.0), (1.0, 14.0), (1.0, 10.0)]
    assert chart.remark == "Lowest, median and highest of 9 sources."


def test_a_source_counts_with_its_latest_value_until_it_ends() -> None:
    often = Series("cpu", "a", "percent", tuple(Point(BEGIN + at, 10.0) for at in range(241)))
    rarely = Series("cpu", "b", "percent", (Point(BEGIN, 30.0), Point(BEGIN + 100, 30.0)))
    others = tuple(replace(often, source=f"c{number}") for number in range(7))
    chart = charts(report(hosts=(often, rarely, *others))).hosts[0]
    highest = dict(chart.lines[0].points)
    assert (highest[50.0], highest[100.0], highest[150.0]) == (30.0, 30.0, 10.0)


def test_of_several_runs_each_has_one_line_the_later_ones_dashed() -> None:
    training = charts(two_runs()).training
    assert [(line.label, line.colour, line.dashed) for line in training[0].lines] == [
        *(("run A", 0, False), ("run B", 1, True)),
    ]
    assert training[0].remark == "Of each run the median over its sources."


def test_a_run_keeps_its_colour_where_it_alone_has_a_quantity() -> None:
    old, new = two_runs().runs
    found = charts(ReportInput((replace(old, metrics=RunMetrics()), new), BEGIN, "0"))
    assert [(line.label, line.colour, line.dashed) for line in found.training[0].lines] == [("run B", 1, True)]


def test_values_that_are_no_numbers_are_counted_and_not_drawn() -> None:
    chart = charts(report((series("rank 0", [1.0, math.nan, math.inf, 2.0]),))).training[0]
    assert [point for line in chart.lines for point in line.points] == [(0.0, 1.0), (3.0, 2.0)]
    assert chart.remark == "2 of 4 values are not finite numbers and are not drawn."
    nothing = charts(report((series("rank 0", [math.nan, math.nan]),))).training[0]
    assert (nothing.lines, nothing.remark) == ((), "2 of 2 values are not finite numbers and are not drawn.")


def test_a_quantity_with_one_value_of_each_source_has_no_chart() -> None:
    assert charts(report((series("rank 0", [0.5], "val_loss"), series("rank 1", [0.6], "val_loss")))) == Charts((), ())


def test_metrics_without_steps_are_over_time() -> None:
    plain = Series("loss", "rank 0", "", (Point(BEGIN + 7, 1.0), Point(BEGIN + 9, 0.5)))
    (chart,) = charts(report((plain,))).training
    assert (chart.by, [x for x, _ in chart.lines[0].points]) == ("time", [7, 9])


def test_charts_and_points_are_bounded() -> None:
    run = record(hosts=16, ranks_each=8)
    many = metrics(run, points=50)
    more = tuple(replace(one, name=f"{one.name} {number}") for number in range(9) for one in many.ranks)
    found = charts(ReportInput((RunInput(run, RunMetrics(more, many.hosts)),), BEGIN, "0"))
    assert (len(found.training), found.more_training) == (MOST_CHARTS, 12)
    assert sum(len(line.points) for chart in (*found.training, *found.hosts) for line in chart.lines) <= 20_000


def test_a_run_without_metrics_has_no_charts() -> None:
    assert charts(report()) == Charts((), ())

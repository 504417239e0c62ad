"""Series of bounded length, from measurements as they come; samples of hosts among them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from toolkit.metrics.collected import Collected
from toolkit.metrics.host_samples import read_samples
from toolkit.metrics.series import Point, Series

HEADER = {"version": 1, "host": "p100-01", "units": {"cpu": "percent", "gpu.memory": "bytes"}}


@given(st.integers(0, 2000))
def test_a_series_keeps_the_first_and_the_last_point_and_is_never_too_long(count: int) -> None:
    collected = Collected(most_points=16)
    for number in range(count):
        collected.add("rank 0", "loss", "", Point(float(number), float(number), number))
    points = collected.series()[0].points if count else ()
    assert len(points) <= 16
    assert len(points) >= min(count, 8)
    steps = [point.step for point in points]
    assert steps == sorted(set(steps))  # type: ignore[type-var]
    assert (steps[:1], steps[-1:]) == ([0] if count else [], [count - 1] if count else [])


def test_a_point_of_the_same_step_replaces_the_one_before() -> None:
    collected = Collected()
    for at, value, step in ((1.0, 5.0, 1), (2.0, 4.0, 1), (3.0, 3.0, 2), (4.0, 2.0, None), (5.0, 1.0, None)):
        collected.add("rank 0", "loss", "", Point(at, value, step))
    assert [point.value for point in collected.series()[0].points] == [4.0, 3.0, 2.0, 1.0]


def test_what_is_no_number_is_left_out_and_so_are_series_that_are_too_many() -> None:
    collected = Collected(most_series=2)
    for value in (float("nan"), float("inf"), 1.0):
        collected.add("rank 0", "loss", "", Point(1.0, value))
    for name in ("a", "b", "c", "c"):
        collected.add("rank 0", name * 500, "", Point(1.0, 1.0))
    assert [(one.name, len(one.points)) for one in collected.series()] == [("a" * 120, 1), ("loss", 1)]


def test_series_are_in_the_order_of_their_ranks_and_points_in_that_of_time() -> None:
    collected = Collected()
    for source, at in (("rank 10", 1.0), ("rank 2", 5.0), ("rank 2", 3.0), ("node10-3", 1.0)):
        collected.add(source, "x", "", Point(at, at))
    found = [(one.source, [point.at for point in one.points]) for one in collected.series()]
    assert found == [("node10-3", [1.0]), ("rank 2", [3.0, 5.0]), ("rank 10", [1.0])]


def read(*lines: object) -> tuple[Series, ...]:
    collected = Collected()
    read_samples([one if isinstance(one, str) else json.dumps(one) for one in lines], collected)
    return collected.series()


def test_samples_of_hosts_are_series_with_their_units() -> None:
    other = {"host": "p100-02", "units": {}}
    found = read(HEADER, {"at": 1.0, "cpu": 50, "gpu1.memory": 7}, {"at": 2, "cpu": 60}, other, {"at": 1, "cpu": 5})
    assert found == (
        Series("cpu", "p100-01", "percent", (Point(1.0, 50.0), Point(2.0, 60.0))),
        Series("gpu1.memory", "p100-01", "bytes", (Point(1.0, 7.0),)),
        Series("cpu", "p100-02", "", (Point(1.0, 5.0),)),
    )


def test_what_is_no_sample_is_left_out() -> None:
    wrong = ("", "{", "[" * 100_000, "5", '{"at": 1, "cpu": 1e999}', '{"at": true, "cpu": 5}', '{"at": 1, "cpu": "5"}')
    assert read({"at": 1, "cpu": 5}) == ()
    assert read(HEADER, *wrong, {"at": 10**400, "cpu": 1}, {"cpu": 1}) == ()


@given(
    st.lists(
        st.text(max_size=50)
        | st.dictionaries(
            st.sampled_from(["at", "host", "units", "cpu", "gpu0.memory"]),
            st.none()
            | st.integers()
            | st.floats()
            | st.text(max_size=5)
            | st.dictionaries(st.text(max_size=3), st.none()),
        ).map(json.dumps),
        max_size=8,
    )
)
def test_any_lines_are_samples_or_none(lines: list[str]) -> None:
    assert all(abs(point.value) < float("inf") for one in read(HEADER, *lines) for point in one.points)

"""Fewer points for the same picture."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from toolkit.report.thinning import XY, extremes, largest_triangles

POINTS = st.lists(st.floats(-1e9, 1e9), max_size=300).map(lambda values: [(float(x), y) for x, y in enumerate(values)])


@given(POINTS, st.integers(3, 60))
def test_triangles_keep_some_of_the_points_in_order_with_both_ends(points: list[XY], most: int) -> None:
    kept = largest_triangles(points, most)
    assert len(kept) == min(len(points), most)
    assert set(kept) <= set(points)
    assert list(kept) == sorted(kept)
    assert [kept[0], kept[-1]] == [points[0], points[-1]] if points else kept == ()


@given(POINTS, st.integers(2, 60))
def test_extremes_keep_the_highest_and_the_lowest_value(points: list[XY], most: int) -> None:
    kept = extremes(points, most)
    assert len(kept) <= max(most, 0)
    assert set(kept) <= set(points)
    assert list(kept) == sorted(kept)
    if points:
        values, all_values = [y for _, y in kept], [y for _, y in points]
        assert (min(values), max(values)) == (min(all_values), max(all_values))


def test_triangles_keep_the_corner_of_a_line() -> None:
    corner = [(float(x), 0.0 if x < 50 else x - 50.0) for x in range(101)]
    kept = largest_triangles(corner, 5)
    assert any(45 <= x <= 55 for x, _ in kept)

from itertools import pairwise

import pytest
from ddl.grouping import group_limit, split_groups
from hypothesis import given
from hypothesis import strategies as st

SIZES = st.lists(st.integers(0, 50), max_size=30)
LIMITS = st.integers(1, 120)


@given(SIZES, st.none() | LIMITS)
def test_every_gradient_is_in_one_group_in_order(sizes: list[int], limit: int | None) -> None:
    groups = split_groups(sizes, limit)
    assert [size for group in groups for size in sizes[group]] == sizes
    assert all(sizes[group] for group in groups)


@given(SIZES, LIMITS)
def test_only_a_gradient_by_itself_may_be_over_the_limit(sizes: list[int], limit: int) -> None:
    for group in split_groups(sizes, limit):
        first, *rest = sizes[group]
        assert sum([first, *rest]) <= limit or not rest


@given(SIZES, LIMITS)
def test_a_group_ends_only_where_the_next_gradient_does_not_fit(sizes: list[int], limit: int) -> None:
    for group, following in pairwise(split_groups(sizes, limit)):
        assert sum(sizes[group]) + sizes[following.start] > limit


@given(SIZES)
def test_without_a_limit_all_are_one_group(sizes: list[int]) -> None:
    assert len(split_groups(sizes, None)) == (1 if sizes else 0)


def test_a_large_gradient_among_small_ones() -> None:
    sizes = [3, 3, 100, 0, 4, 4, 4]
    assert [sizes[group] for group in split_groups(sizes, 8)] == [[3, 3], [100], [0, 4, 4], [4]]


def test_group_limit_is_the_environments() -> None:
    assert group_limit({}) is None
    assert group_limit({"DDL_GROUP_SIZE": " "}) is None
    assert group_limit({"DDL_GROUP_SIZE": "10000000000"}) == 10_000_000_000


@pytest.mark.parametrize("text", ["0", "-5", "1e6", "many", "2.5"])
def test_an_unreadable_group_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"DDL_GROUP_SIZE must be a whole number of elements above 0, not '{text}'"):
        group_limit({"DDL_GROUP_SIZE": text})

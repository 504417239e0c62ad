"""Names with ranges."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.cluster.ranges import MOST, expand


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("login", ["login"]),
        ("p100-[08-11]", ["p100-08", "p100-09", "p100-10", "p100-11"]),
        ("p[8-11]", ["p8", "p9", "p10", "p11"]),
        ("p[1-3,7]", ["p1", "p2", "p3", "p7"]),
        ("p[0-2]", ["p0", "p1", "p2"]),
        ("p[00-02,5]x", ["p00x", "p01x", "p02x", "p5x"]),
        ("r[1-2]n[3-4]", ["r1n3", "r1n4", "r2n3", "r2n4"]),
        ("a, b[1,2] ,c", ["a", "b1", "b2", "c"]),
        ("10.0.0.[9-10]", ["10.0.0.9", "10.0.0.10"]),
        ("fe80::1", ["fe80::1"]),
    ],
)
def test_a_range_stands_for_its_names_in_order(text: str, names: list[str]) -> None:
    assert list(expand(text)) == names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "an empty name"),
        ("a,,b", "an empty name"),
        ("p[]", "expected numbers in brackets"),
        ("p[a-b]", "expected numbers in brackets, such as [01-08] or [1-3,7], found [a-b]"),
        ("p[1-]", "expected numbers in brackets"),
        ("p[-1]", "expected numbers in brackets"),
        ("p[1", "unbalanced or nested brackets"),
        ("p1]", "unbalanced or nested brackets"),
        ("p[[1-2]]", "unbalanced or nested brackets"),
        ("p[8-1]", "the range 8-1 is empty; 1-8 is meant?"),
        ("p[01-100]", "with leading zeros both ends need the same width"),
        ("p[1-4097]", "more than 4096 names"),
        ("p[1-999999999]", "more than 4096 names"),
        ("p[1-100][1-100]", "more than 4096 names"),
        ("p[1-4000],q[1-97]", "more than 4096 names"),
    ],
)
def test_what_is_no_range_is_reported(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        expand(text)


@given(st.integers(0, 99_999), st.integers(0, MOST - 1), st.integers(0, 5))
def test_every_number_of_a_range_comes_once_and_keeps_its_width(first: int, more: int, width: int) -> None:
    last = first + more
    low = f"{first:0{width}d}"
    high = f"{last:0{len(low) if low.startswith('0') and len(low) > 1 else 0}d}"
    if low.startswith("0") and len(low) > 1 and len(high) != len(low):
        return
    names = expand(f"p[{low}-{high}]")
    assert [int(name[1:]) for name in names] == list(range(first, last + 1))
    if low.startswith("0") and len(low) > 1:
        assert {len(name) for name in names} == {1 + len(low)}
    else:
        assert names == tuple(f"p{number}" for number in range(first, last + 1))


@given(st.text(alphabet="ab-[],0123456789 ", max_size=20))
def test_any_text_is_names_without_brackets_or_an_error(text: str) -> None:
    try:
        names = expand(text)
    except ValueError as error:
        assert str(error)
        return
    assert 1 <= len(names) <= MOST
    assert not any(character in name for name in names for character in "[],")
    assert all(names)


LONG = ("a" * 250_000, "[" * 250_000, "a," * 100_000, "p[1," * 60_000, "]," * 100_000, "a" * (1 << 20))


@pytest.mark.parametrize("text", LONG, ids=range(len(LONG)))
def test_a_long_text_is_reported_shortly_and_at_once(text: str) -> None:
    try:
        names = expand(text)
    except ValueError as error:
        assert len(str(error)) < 600
    else:
        assert names == (text,)

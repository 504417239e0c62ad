"""Sizes and durations: read strictly, and written as they are read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.manifest.units import (
    DURATION_PATTERN,
    FFDL_SIZE_PATTERN,
    SIZE_PATTERN,
    bytes_of,
    ffdl_size,
    seconds_of,
    shown_duration,
    shown_size,
    size_hint,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("24GB", 24_000_000_000),
        ("24 GB", 24_000_000_000),
        ("1.5GB", 1_500_000_000),
        ("4Gi", 4 << 30),
        ("4GiB", 4 << 30),
        ("0.5TiB", 1 << 39),
        ("512MiB", 512 << 20),
        ("512MB", 512_000_000),
        ("1205812461B", 1_205_812_461),
    ],
)
def test_a_size_is_what_its_unit_says(text: str, size: int) -> None:
    assert re.fullmatch(SIZE_PATTERN, text)
    assert bytes_of(text) == size


@pytest.mark.parametrize(
    "text", ["8g", "8G", "24gb", "24Gb", "512", "", " ", "GB", "0GB", "-1GB", "1e3MB", "1,5GB", "4KB"]
)
def test_what_can_be_read_in_two_ways_or_none_is_no_size(text: str) -> None:
    assert not re.fullmatch(SIZE_PATTERN, text)


def test_a_size_in_two_ways_is_reported_with_both() -> None:
    assert size_hint("8g") == "; `8g` could be 8GB or 8GiB"
    assert (size_hint("many"), size_hint("0GB"), size_hint("4k")) == ("", "", "")


@given(st.integers(1, 10**14))
def test_a_size_is_written_as_it_is_read(size: int) -> None:
    assert re.fullmatch(SIZE_PATTERN, shown_size(size))
    assert bytes_of(shown_size(size)) == size


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("12h", 43_200), ("2d", 172_800)])
def test_a_duration_is_what_its_unit_says(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["90", "1.5h", "0s", "h", "1 h", "1w", "12H"])
def test_what_is_no_duration(text: str) -> None:
    assert not re.fullmatch(DURATION_PATTERN, text)


@given(st.integers(1, 999_999))
def test_a_duration_is_written_as_it_is_read(seconds: int) -> None:
    assert re.fullmatch(DURATION_PATTERN, shown_duration(seconds))
    assert seconds_of(shown_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "size", "known"),
    [
        ("16Gb", "16GB", True),
        ("8gb", "8GB", True),
        ("4gib", "4GiB", True),
        ("1000MIB", "1000MiB", True),
        ("2 tB", "2TB", True),
        ("1.5GB", "1.5GB", False),
        ("4Gi", "4Gi", False),
        ("0.5gb", "0.5GB", False),
        ("512mi", "512Mi", False),
        ("1205812461B", "1205812461B", False),
    ],
)
def test_ffdl_read_units_in_any_case_and_whole_numbers_alone(text: str, size: str, known: bool) -> None:
    assert re.fullmatch(FFDL_SIZE_PATTERN, text)
    assert ffdl_size(text) == (size, known)
    assert re.fullmatch(SIZE_PATTERN, size)


@pytest.mark.parametrize("text", ["8g", "8", "", "0GB", "8GBs", "1,5GB", "-8GB", "8 giga", "8kb", "8GB GB", "8b"])
def test_what_ffdl_made_512_megabytes_of_and_nobody_can_read_is_no_size(text: str) -> None:
    assert not re.fullmatch(FFDL_SIZE_PATTERN, text)

"""Numbers as a person reads them."""

from __future__ import annotations

import math

import pytest

from toolkit.report.amounts import amount, duration, moment, number, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (12.34, "12.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (252, "4 min 12 s"),
        (3599.6, "1 h 00 min"),
        (11_100, "3 h 05 min"),
        (86_400 + 7200, "1 d 02 h"),
    ],
)
def test_a_duration_has_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(360, "360"), (4.0, "4"), (0.963889, "0.9639"), (1e12, "1e+12"), (math.nan, "not a number"), (-math.inf, "−∞")],
)
def test_a_number_has_four_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (892_653, "bytes", "892.7 kB"),
        (999_960, "bytes/s", "1.0 MB/s"),
        (37.25, "percent", "37.2 %"),
        (0.214, "seconds", "214 ms"),
        (90, "seconds", "1 min 30 s"),
        (250, "watts", "250 watts"),
        (0.5, "", "0.5"),
        (math.nan, "bytes", "not a number"),
    ],
)
def test_an_amount_has_its_unit(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text


def test_sizes_and_moments() -> None:
    assert (size(7), size(2.5e15)) == ("7 B", "2500.0 TB")
    assert moment(1_796_053_193.4) == "2026-11-30 15:39:53 UTC"

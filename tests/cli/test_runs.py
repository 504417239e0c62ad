"""The list of runs, in words."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.cli.runs import duration, row
from toolkit.run.records.record import Record, State

BEGAN = datetime.datetime(2026, 11, 25, 20, 15).timestamp()
RECORD = Record(
    *("training-abcd2345", "digits", State.PROCESSING, "tensorflow:1", "sha256:abc", "local", 2, 2, True),
    *("embedded", "models", "data", "/m.yml", "/code"),
    states=(("QUEUED", BEGAN),),
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (42, "42 s"),
        (59.6, "1 m"),
        (192, "3 m 12 s"),
        (3600, "1 h"),
        (3659, "1 h"),
        (5 * 3600 + 3 * 60 + 59, "5 h 3 m"),
        (86400 + 3599, "1 d"),
        (2 * 86400 + 4 * 3600, "2 d 4 h"),
        (400 * 86400, "400 d"),
    ],
)
def test_a_duration_has_its_two_greatest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@given(st.integers(0, 10_000_000))
def test_a_duration_is_never_more_than_it_was_and_less_by_no_whole_unit(seconds: int) -> None:
    words = duration(seconds).split()
    reported = sum(int(number) * UNITS[unit] for number, unit in zip(words[::2], words[1::2], strict=True))
    after = {"d": 3600, "h": 60, "m": 1, "s": 1}[words[1]]
    assert reported <= seconds < reported + after


def test_a_run_that_goes_on_has_taken_its_time_so_far() -> None:
    assert row(RECORD, BEGAN + 192) == (
        *("training-abcd2345", "digits", "PROCESSING", "local", "2026-11-25 20:15", "3 m 12 s"),
    )


def test_a_run_that_failed_says_why_and_where() -> None:
    failed = replace(RECORD, hosts=("p100-01", "p100-02"), end="host lost", error_code="S100")
    found = row(failed.at(State.FAILED, BEGAN + 42), BEGAN + 9999)
    assert found[2:] == ("FAILED (host lost)", "p100-01, p100-02", "2026-11-25 20:15", "42 s")


@pytest.mark.parametrize(("state", "end"), [(State.COMPLETED, "completed"), (State.HALTED, "stopped")])
def test_an_end_without_a_fault_needs_no_reason(state: State, end: str) -> None:
    assert row(replace(RECORD, end=end).at(state, BEGAN + 1), BEGAN)[2] == state.value


def test_a_record_without_a_state_yet_has_just_begun() -> None:
    assert row(replace(RECORD, states=()), BEGAN)[5] == "0 s"

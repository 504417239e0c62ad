"""`ddl.log_metric`: numbers of the program's own, as lines that `toolkit metrics` reads."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from ddl.metrics import MetricLog, line_of
from hypothesis import given
from hypothesis import strategies as st

from toolkit.metrics.ddl_lines import DdlLines
from toolkit.metrics.source import Measured

from .conftest import PACKAGE


class Log:
    """A log with a clock that a test moves."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now = 0.0
        self.log = MetricLog(self.lines.append, lambda: self.now)


def test_a_name_has_one_line_a_second_and_its_last_value_at_the_end() -> None:
    one = Log()
    for step in range(25):
        one.now = step / 10
        one.log.add("loss", 1 / (step + 1), step)
    one.log.add("accuracy", 0.5, None)
    assert one.lines == [
        *("ddl: metric loss 1.0 step 0", f"ddl: metric loss {1 / 11} step 10", f"ddl: metric loss {1 / 21} step 20"),
        "ddl: metric accuracy 0.5",
    ]
    one.log.finish()
    assert one.lines[4:] == ["ddl: metric loss 0.04 step 24"]
    one.log.finish()
    assert len(one.lines) == 5


def test_a_value_that_is_not_written_is_not_read() -> None:
    one = Log()

    class Unreadable:
        def __float__(self) -> float:
            raise RuntimeError("the device is gone")

    one.log.add("loss", 1.0, 1)
    one.log.add("loss", Unreadable(), 2)
    one.log.finish()
    assert one.lines == ["ddl: metric loss 1.0 step 1"]


def test_no_more_than_so_many_names_are_written() -> None:
    one = Log()
    for number in range(1000):
        one.log.add(f"name{number}", number, None)
    assert len(one.lines) == 256


@given(
    st.text(max_size=100), st.floats(allow_nan=False, allow_infinity=False), st.none() | st.integers(-(10**17), 10**17)
)
def test_what_is_written_is_what_the_tool_reads(name: str, value: float, step: int | None) -> None:
    line = line_of(name, value, step)
    assert "\n" not in line
    (found,) = DdlLines().read(line)
    assert found == Measured("_".join(name.split())[:80] or "_", value, step)


@pytest.mark.parametrize("value", [np.float32(0.5), np.array(0.5), 0.5, True])
def test_numbers_are_of_any_kind(value: object) -> None:
    assert line_of("x", value, np.int64(3)) in ("ddl: metric x 0.5 step 3", "ddl: metric x 1.0 step 3")


def test_what_is_no_number_is_an_error_where_it_is_reported() -> None:
    with pytest.raises(ValueError, match="could not convert"):
        Log().log.add("loss", "high", 1)


def test_a_program_needs_two_lines() -> None:
    program = "import ddl\nfor step in range(3): ddl.log_metric('loss', 1 / (step + 1), step)"
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(PACKAGE)}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "ddl: metric loss 1.0 step 0\nddl: metric loss 0.3333333333333333 step 2\n"

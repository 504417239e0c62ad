"""Series in words: a line each, a curve, and all points for a spreadsheet."""

from __future__ import annotations

import argparse
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.cli import metrics as module
from toolkit.cli.metrics import csv_rows, row, run, shown
from toolkit.cli.sparkline import sparkline
from toolkit.metrics.series import Point, RunMetrics, Series

LOSS = Series("loss", "rank 0", "", (Point(1.0, 2.0, 10), Point(2.0, 0.5, 20), Point(3.0, 1.0)))
MEMORY = Series("gpu0.memory", "p100-01", "bytes", (Point(1.0, 1.5e9),))


def test_a_series_is_a_line_with_its_curve_and_extremes() -> None:
    assert row(LOSS) == ("rank 0", "loss", "█▁▃", "1", "0.5", "2", "3")
    assert row(MEMORY) == ("p100-01", "gpu0.memory", "▁", "1.5 GB", "1.5 GB", "1.5 GB", "1")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.30012, "", "0.3001"),
        (1e-7, "", "1e-07"),
        (12.5, "percent", "12.5 %"),
        (0.02, "seconds", "0.02 s"),
        (-1500.0, "bytes/s", "-1.5 kB/s"),
        (301.5, "watts", "301.5 W"),
        (5.0, "furlongs", "5"),
    ],
)
def test_values_are_shown_with_their_unit(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text


def test_a_spreadsheet_gets_every_point_and_no_formula() -> None:
    harmful = Series("=HYPERLINK(1)", "rank 0", "", (Point(5.0, 1.0),))
    assert list(csv_rows([LOSS, harmful])) == [
        ("source", "name", "unit", "time", "step", "value"),
        ("rank 0", "loss", "", "1.000", "10", "2.0"),
        ("rank 0", "loss", "", "2.000", "20", "0.5"),
        ("rank 0", "loss", "", "3.000", "", "1.0"),
        ("rank 0", "'=HYPERLINK(1)", "", "5.000", "", "1.0"),
    ]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_a_curve_has_a_block_for_each_part_and_shows_the_greatest_and_the_least(values: list[float]) -> None:
    curve = sparkline(values)
    assert len(curve) == min(20, len(values))
    assert set(curve) <= set("▁▂▃▄▅▆▇█")


def test_a_long_curve_is_the_means_of_its_parts() -> None:
    assert sparkline([0, 0, 4, 4, 2, 2], width=3) == "▁█▅"


def printed(monkeypatch: pytest.MonkeyPatch, found: RunMetrics, *, as_json: bool = False, as_csv: bool = False) -> int:
    monkeypatch.setattr(module, "metrics", lambda _: found)
    return run(argparse.Namespace(training_id="abcd", json=as_json, csv=as_csv))


def test_json_has_every_point(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(monkeypatch, RunMetrics((LOSS,), (MEMORY,)), as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ranks"][0]["points"][0] == {"at": 1.0, "value": 2.0, "step": 10}
    assert (found["hosts"][0]["source"], found["hosts"][0]["unit"]) == ("p100-01", "bytes")


def test_a_table_shows_what_is_there_and_a_note_what_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = Series("loss\x1b[2J", "rank 0", "", (Point(1.0, 1.0),))
    assert printed(monkeypatch, RunMetrics((hostile,))) == 0
    output = capsys.readouterr().out
    assert "\x1b" not in output
    assert output.splitlines() == [
        "SOURCE NAME        CURVE LAST LEAST MOST POINTS",
        "rank 0 loss\\x1b[2J ▁        1     1    1      1",
    ]
    assert printed(monkeypatch, RunMetrics((), (MEMORY,))) == 0
    captured = capsys.readouterr()
    assert "gpu0.memory" in captured.out
    assert "no rank has reported a metric" in captured.err

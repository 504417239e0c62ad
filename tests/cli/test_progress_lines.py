"""Progress where nobody looks at a terminal: a line for what is new."""

from __future__ import annotations

import pytest

from toolkit.cli import output
from toolkit.cli.output import ProgressBar
from toolkit.progress import Progress


def lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *steps: tuple[float, Progress]
) -> list[str]:
    """What is printed for each step at its second."""
    now = 0.0
    monkeypatch.setattr(output.time, "monotonic", lambda: now)
    bar = ProgressBar(beside=True)
    for seconds, step in steps:
        now = seconds
        bar.report(step)
    return capsys.readouterr().err.splitlines()


def sending(done: int, layer: int = 1) -> Progress:
    return Progress("host-a", f"sending layer {layer} of 2", done, 200, "bytes")


def test_a_stage_that_goes_on_is_one_line_and_then_one_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [(float(second), sending(second)) for second in range(130)]
    assert lines(monkeypatch, capsys, *steps) == [
        "    0.0 s  host-a: sending layer 1 of 2",
        "   60.0 s  host-a: sending layer 1 of 2, 30%",
        "  120.0 s  host-a: sending layer 1 of 2, 60%",
    ]


def test_what_is_new_is_said_but_not_faster_than_anyone_reads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [(0.0, sending(1)), (0.5, sending(2, 2)), (2.1, sending(3, 2)), (2.2, Progress("host-b", "has the image"))]
    assert lines(monkeypatch, capsys, *steps) == [
        "    0.0 s  host-a: sending layer 1 of 2",
        "    2.1 s  host-a: sending layer 2 of 2",
        "    2.2 s  host-b: has the image",
    ]

"""A run at a glance: what `toolkit watch` draws, and how it follows."""

from __future__ import annotations

import argparse
import io
import json
from dataclasses import replace

import pytest
from rich.live import Live

from toolkit.cli import watch as module
from toolkit.cli.board import Glance, board, main_series
from toolkit.cli.console import SafeConsole
from toolkit.cli.watch import Watching, drawn
from toolkit.errors import Code, ToolkitError
from toolkit.metrics.series import Point, RunMetrics, Series
from toolkit.run.follow.events import Line
from toolkit.run.follow.view import Choice
from toolkit.run.records.record import Record, State

RECORD = Record(
    *("training-abcd2345", "digits", State.PROCESSING, "tensorflow:1", "sha256:abc", "local", 2, 2, True),
    *("embedded", "models", "data", "/m.yml", "/code"),
    states=(("QUEUED", 100.0),),
)


def series(name: str, source: str, *values: float, unit: str = "") -> Series:
    points = tuple(Point(float(number), value, number) for number, value in enumerate(values))
    return Series(name, source, unit, points)


def test_a_run_is_seen_at_a_glance() -> None:
    ranks = (series("loss", "rank 0", 2.0, 1.0), series("loss", "rank 1", 3.0), series("accuracy", "rank 0", 0.5))
    times = (series("step_time", "rank 0", 0.02, unit="seconds"),)
    hosts = (
        series("cpu", "p100-01", 10.0, 90.0, unit="percent"),
        series("memory", "p100-01", 2e9, unit="bytes"),
        series("gpu0.utilisation", "p100-01", 97.0, unit="percent"),
    )
    glance = Glance(RECORD, "going on", "command 1 of 2: python train.py", "[0] loss 1", (*ranks, *times), hosts)
    assert list(board(glance, 292.0)) == [
        ("run", "training-abcd2345  digits"),
        ("state", "PROCESSING  3 m 12 s  going on"),
        ("command", "command 1 of 2: python train.py"),
        ("loss", "rank 0  █▁  1  step 1"),
        ("", "rank 1  ▁  3  step 0"),
        ("step time", "rank 0 0.02 s"),
        ("hosts", "p100-01  cpu ▁█ 90 %  memory 2.0 GB  gpu0 ▁ 97 %"),
        ("last", "[0] loss 1"),
    ]


def test_a_run_of_which_nothing_is_known_yet_has_its_state() -> None:
    assert list(board(Glance(replace(RECORD, states=())), 5.0))[1:] == [("state", "PROCESSING  0 s")]


def test_of_many_ranks_the_first_are_shown() -> None:
    ranks = [series("loss", f"rank {number}", 1.0) for number in range(20)]
    lines = list(board(Glance(RECORD, ranks=ranks), 5.0))
    assert len(lines) == 2 + 8 + 1
    assert lines[-1] == ("", "and 12 more ranks")


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("a", "val_loss", "loss"), "loss"),
        (("a", "train.loss"), "train.loss"),
        (("step_time", "b", "a"), "b"),
        ((), None),
    ],
)
def test_the_curve_is_the_losss_where_there_is_one(names: tuple[str, ...], chosen: str | None) -> None:
    found = {one.name for one in main_series([series(name, "rank 0", 1.0) for name in names])}
    assert found == ({chosen} if chosen else set())


def text_of(glance: Glance) -> str:
    console = SafeConsole()
    with console.capture() as captured:
        console.print(drawn(glance))
    return captured.get()


def test_what_a_program_prints_is_neutralised() -> None:
    assert "\\x1b[2J" in text_of(Glance(RECORD, last="[0] \x1b[2J"))


def watching(monkeypatch: pytest.MonkeyPatch) -> Watching:
    monkeypatch.setattr(module, "host_metrics", lambda _: (series("cpu", "this machine", 50.0, unit="percent"),))
    live = Live(console=SafeConsole(), auto_refresh=False)
    return Watching(RECORD, live)


def test_lines_states_and_uploads_change_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watching(monkeypatch)
    seen.line(Line("[toolkit] command 1 of 2: python train.py", 1.0))
    seen.line(Line("[0] command 9 of 9: forged", 2.0))
    seen.line(Line("[0] step 5 loss 0.25", 3.0))
    seen.ask_hosts()
    seen.state(RECORD.at(State.STORING, 200.0), "into the bucket")
    seen.storing(3, 1, 0)
    text = text_of(seen.glance)
    assert "command 1 of 2: python train.py" in text
    assert "9 of 9" not in text
    assert "0.25  step 5" in text
    assert "this machine  cpu ▁ 50 %" in text
    assert "STORING" in text
    assert "3 files waiting, 1 uploading, 0 failed so far" in text
    seen.storing(0, 0, 0)
    assert seen.glance.note == ""
    assert seen.interrupted() is Choice.DETACH


def test_a_host_that_does_not_answer_leaves_what_was_known(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watching(monkeypatch)
    seen.ask_hosts()

    def away(_: object) -> tuple[Series, ...]:
        raise ToolkitError(Code.RESOURCES, "away")

    monkeypatch.setattr(module, "host_metrics", away)
    seen.ask_hosts()
    seen.beat()
    assert [one.source for one in seen.glance.hosts] == ["this machine"]


def test_where_there_is_no_terminal_it_is_printed_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr(module, "find_run", lambda _: RECORD)
    monkeypatch.setattr(module, "metrics", lambda _: RunMetrics((series("loss", "rank 0", 2.0, 1.0),)))
    assert module.run(argparse.Namespace(training_id="abcd", json=False)) == 0
    assert "loss       rank 0  █▁  1  step 1\n" in capsys.readouterr().out


def test_as_json_it_is_the_run_with_its_series(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "find_run", lambda _: RECORD)
    monkeypatch.setattr(module, "metrics", lambda _: RunMetrics((series("loss", "rank 0", 2.0),)))
    assert module.run(argparse.Namespace(training_id="abcd", json=True)) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["run"]["training_id"], found["ranks"][0]["name"], found["hosts"]) == (RECORD.training_id, "loss", [])

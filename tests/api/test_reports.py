"""A report of runs, as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.run.document.sample import launched
from toolkit import api
from toolkit.api import reports
from toolkit.cli.main import main
from toolkit.errors import Code, ToolkitError
from toolkit.metrics.series import RunMetrics
from toolkit.progress import Progress
from toolkit.report.serve import PageServer
from toolkit.run.document.launched import save_launched
from toolkit.run.follow.events import Line
from toolkit.run.plan.training_id import parse_training_id
from toolkit.run.records.record import Record, State
from toolkit.run.records.record_store import Records

from ..report.runs import record


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def recorded(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """Two runs that are recorded here, each with two lines of output."""
    runs = [record(), record("training-wxyz6789")]
    for run in runs:
        Records(home).save(run)
    monkeypatch.setattr(reports, "_metrics_of", lambda _: RunMetrics())
    monkeypatch.setattr(reports, "log_lines", lambda run: iter([Line(f"[0] of {run.training_id}", 1.0), Line("", 2.0)]))
    return runs


def test_a_run_is_named_as_elsewhere_and_its_log_is_in_the_file(recorded: list[Record], tmp_path: Path) -> None:
    said: list[Progress] = []
    written = api.report(["abcd"], tmp_path / "report.html", report=said.append)
    text = (tmp_path / "report.html").read_text()
    assert "of training-abcd2345" in text
    assert "training-wxyz6789" not in text
    assert written == reports.Reported(tmp_path / "report.html", len(text.encode()), ("training-abcd2345",), ())
    assert said == [Progress("reading", "training-abcd2345")]


def test_runs_are_in_the_order_in_which_they_are_named_and_each_once(recorded: list[Record], tmp_path: Path) -> None:
    named: list[str | Record] = ["wxyz6789", recorded[0], "training-wxyz6789"]
    written = api.report(named, tmp_path / "report.html")
    assert written.runs == ("training-wxyz6789", "training-abcd2345")
    assert "2 runs compared" in (tmp_path / "report.html").read_text()


def test_what_launches_kept_here_of_their_conditions_is_compared(
    recorded: list[Record], home: Path, tmp_path: Path
) -> None:
    for run, seed in zip(recorded, ("7", "8"), strict=True):
        part = launched()
        part["manifest"]["model_definition"]["execution"]["environment"] = {"SEED": seed}
        save_launched(home, parse_training_id(run.training_id), part)
    api.report(recorded, tmp_path / "report.html")
    assert "manifest: execution.environment.SEED" in (tmp_path / "report.html").read_text()
    save_launched(home, parse_training_id(recorded[1].training_id), {"manifest": "damaged"})
    api.report(recorded, tmp_path / "report.html")
    assert "execution.environment.SEED" not in (tmp_path / "report.html").read_text()


def test_a_log_that_cannot_be_read_is_left_out_and_the_report_says_so(
    recorded: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: Record) -> Iterator[Line]:
        yield Line("[0] first", 1.0)
        raise ToolkitError(Code.LOADING_DATA, "the store does not answer")

    monkeypatch.setattr(reports, "log_lines", unreadable)
    written = api.report(["abcd"], tmp_path / "report.html")
    assert written.notes == ("training-abcd2345: its output could not be read: the store does not answer",)
    assert "its output could not be read: the store does not answer" in (tmp_path / "report.html").read_text()


def test_metrics_that_cannot_be_read_are_left_out_likewise(
    recorded: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: Record) -> RunMetrics:
        raise ToolkitError(Code.LOADING_DATA, "the bucket is gone")

    monkeypatch.setattr(reports, "_metrics_of", unreadable)
    written = api.report(["abcd"], tmp_path / "report.html")
    assert written.notes == ("training-abcd2345: its metrics could not be read: the bucket is gone",)
    assert "of training-abcd2345" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("count", [0, 9])
def test_a_number_of_runs_that_no_page_shows_is_refused(home: Path, tmp_path: Path, count: int) -> None:
    runs = [replace(record(), training_id=f"training-abcd234{number}") for number in range(count)]
    with pytest.raises(ToolkitError, match=f"1 to 8 runs, not {count}"):
        api.report(runs, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_an_unknown_run_leaves_the_file_as_it_was(recorded: list[Record], tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("earlier")
    with pytest.raises(ToolkitError, match="no run nothing is recorded here"):
        api.report(["abcd", "nothing"], tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == "earlier"
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".toolkit")] == []


def test_a_folder_that_is_not_there_is_named(recorded: list[Record], tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="there is no folder"):
        api.report(["abcd"], tmp_path / "missing" / "report.html")


def test_a_port_that_cannot_be_used_is_named(recorded: list[Record]) -> None:
    with pytest.raises(ToolkitError, match="port 99999 of this machine cannot be used"):
        api.serve_report(["abcd"], port=99999)


def test_a_run_that_goes_on_is_loaded_again_and_one_that_ended_is_not(
    recorded: list[Record], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[str] = []

    def served(server: PageServer) -> None:
        pages.append(server.make())
        Records(home).save(replace(recorded[0], state=State.PROCESSING, states=recorded[0].states[:4]))
        monkeypatch.setattr(reports, "find_run", Records(home).find)
        pages.append(server.make())
        raise KeyboardInterrupt

    monkeypatch.setattr(PageServer, "run", served)
    notes, urls = list[str](), list[str]()
    with pytest.raises(KeyboardInterrupt):
        api.serve_report(["abcd"], ready=urls.append, report=lambda step: notes.append(step.note))
    assert ['data-refresh="5"' in page for page in pages] == [False, True]
    assert urls[0].startswith("http://127.0.0.1:")
    assert notes[0].startswith(urls[0])


def test_the_address_is_an_object_for_scripts(
    recorded: list[Record], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def served(server: PageServer) -> None:
        urls.append(server.url)
        raise KeyboardInterrupt

    urls: list[str] = []
    monkeypatch.setattr(PageServer, "run", served)
    assert main(["report", "abcd", "--serve", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"url": urls[0]}

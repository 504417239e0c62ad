"""`toolkit reproduce` and `compare`: their words, what a person reads of a comparison, and exit statuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.run.document.sample import CODE_FILES, FILES, RUN, SUMS_LIST, document
from toolkit.agent.run_document import document_bytes
from toolkit.cli.compare import facts_of, lines_of, status_of
from toolkit.cli.main import main, parser
from toolkit.run.comparison.conditions import Difference
from toolkit.run.comparison.outcome import Comparison, FileDifference, MetricDifference, Verdict
from toolkit.run.comparison.weights import Followed, Parting

OTHER = "training-zzzz2345"
FOUND = Comparison(
    RUN,
    OTHER,
    Verdict.DIFFERENT,
    0.0,
    (Difference("code", "train.py", "sha256 aaaa", "sha256 bbbb"),),
    ("COMPLETED", "COMPLETED"),
    2,
    (FileDifference("model/variables", "a" * 64, "b" * 64), FileDifference("extra", "", "b" * 64)),
    ("_run/output.log",),
    (MetricDifference("loss", 0.5, 0.25, 0.5), MetricDifference("ranks", 2, 2, 0.0)),
    {1: Followed(96, Parting(1, 1, 0, 96, "dense/kernel [4]", 8)), 2: Followed(10)},
    ("a note",),
)


def test_a_comparison_names_everything_that_differs() -> None:
    assert list(lines_of(FOUND)) == [
        ("ran with", "code train.py: sha256 aaaa → sha256 bbbb"),
        ("results", "2 files with the same SHA-256"),
        ("differs", "model/variables: SHA-256 aaaaaaaaaaaa → bbbbbbbbbbbb"),
        ("", "extra: only in the second run"),
        ("not counted", "_run/output.log: differ, as they hold times or random IDs"),
        ("metrics", "loss 0.5 → 0.25  differs by 0.5 of its size"),
        ("", "ranks 2"),
        ("weights", "command 1: weights part in steps 1 to 96, first in dense/kernel [4] (and 7 more)"),
        ("weights", "command 2: the same to step 10"),
        ("note", "a note"),
    ]


def test_of_very_many_files_the_first_are_shown_and_all_are_in_json() -> None:
    many = tuple(FileDifference(str(number), "", "b" * 64) for number in range(1000))
    found = replace(FOUND, files=many, weights={}, metrics=(), notes=(), conditions=())
    lines = list(lines_of(found))
    assert len(lines) < 60
    assert ("", "and 950 more: --json") in lines
    assert len(json.loads(json.dumps(facts_of(found)))["files"]) == 1000


@pytest.mark.parametrize(
    ("verdict", "status"),
    [(Verdict.IDENTICAL, 0), (Verdict.WITHIN, 0), (Verdict.DIFFERENT, 5), (Verdict.NOTHING, 5)],
)
def test_the_exit_status_says_whether_one_run_reproduces_the_other(verdict: Verdict, status: int) -> None:
    assert status_of(replace(FOUND, verdict=verdict)) == status


def copy_of_a_run(folder: Path, loss: float = 0.5) -> Path:
    """A run's folder as someone has downloaded it; its record's file."""
    files = {**FILES, **{f"_submitted_code/{name}": data for name, data in CODE_FILES.items()}}
    for path, data in {**files, "_run/SHA256SUMS": SUMS_LIST}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "record.json").write_bytes(document_bytes(document(metrics={"loss": loss})))
    return folder / "record.json"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("loss", "words", "status", "verdict"),
    [
        (0.5, [], 0, "identical"),
        (0.51, [], 5, "different"),
        (0.51, ["--tolerance", "0.05"], 0, "within the tolerance"),
    ],
)
def test_two_runs_are_compared_from_files_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], loss: float, words: list[str], status: int, verdict: str
) -> None:
    first, second = copy_of_a_run(tmp_path / "1"), copy_of_a_run(tmp_path / "2", loss)
    assert main(["compare", str(first), str(second), *words]) == status
    assert f"{RUN} and {RUN}: {verdict}" in capsys.readouterr().err
    assert main(["compare", str(first), str(second), *words, "--json"]) == status
    assert json.loads(capsys.readouterr().out)["verdict"] == verdict


@pytest.mark.parametrize("words", [["compare", "no.json", "no.json"], ["reproduce", "no.json", "--dry-run"]])
def test_a_record_that_is_not_there_is_named(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "C101 no.json: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["x", "-1", "nan", "inf"])
def test_a_tolerance_is_a_number(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["compare", "a", "b", f"--tolerance={text}"])
    assert ended.value.code == 2
    assert f"expected a number of at least 0, such as 0.01, found `{text}`" in capsys.readouterr().err

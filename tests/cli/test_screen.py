"""What a person is shown: sizes, ranks' lines, a run's record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.cli.console import rank_line
from toolkit.cli.output import human_size
from toolkit.cli.show import lines
from toolkit.run.records.record import Record, State, StepResult

RECORD = Record(
    *("training-abcd2345", "digits", State.QUEUED, "tensorflow:1", "sha256:abc", "local", 2, 2, True),
    *("embedded", "models", "data", "/m.yml", "/code"),
)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_700_000_000, "1.7 GB"), (5e12, "5.0 TB"), (5e15, "5000.0 TB")],
)
def test_a_size_is_read_at_a_glance(size: float, text: str) -> None:
    assert human_size(size) == text


@given(st.integers(0, 5000), st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_a_ranks_line_is_shown_as_it_is(rank: int, text: str) -> None:
    assert rank_line(f"[{rank}] {text}").plain == f"[{rank}] {text}"


def test_each_rank_has_its_colour_and_other_lines_are_dim() -> None:
    styles = [str(rank_line(text).spans[0].style) for text in ("[0] x", "[1] x", "[6] x", "[mpirun] x")]
    assert styles[0] == styles[2] != styles[1]
    assert styles[3] == "dim"
    assert rank_line("no rank").spans == []
    assert str(rank_line("[learner-1] x").spans[0].style) == styles[1]


def test_a_run_that_has_not_begun_is_reported_in_few_lines() -> None:
    assert list(lines(RECORD)) == [
        ("run", "training-abcd2345  digits"),
        ("state", "QUEUED"),
        ("image", "tensorflow:1  sha256:abc"),
        ("ran on", "local: 2 learners, 2 ranks (CPU instead of GPUs)"),
        ("next", "toolkit logs -f training-abcd2345"),
    ]


@pytest.mark.parametrize(
    ("compute", "on_cpu", "reported"),
    [
        ("p100x2", True, "CPU instead of GPUs"),
        ("p100x2", False, "p100x2"),
        ("cpux4", True, "CPU"),
        ("", True, "CPU instead of GPUs"),
        ("", False, "GPU"),
    ],
)
def test_what_ranks_ran_on(compute: str, on_cpu: bool, reported: str) -> None:
    record = replace(RECORD, compute=compute, on_cpu=on_cpu)
    assert f"local: 2 learners, 2 ranks ({reported})" in dict(lines(record)).values()


def test_a_completed_run_is_reported_with_its_commands_and_what_comes_next() -> None:
    record = replace(
        RECORD,
        state=State.COMPLETED,
        reason="all is well",
        on_cpu=False,
        learners=1,
        ranks=1,
        steps=(StepResult(1, "python t.py", True, 0, 7.25, (0,)), StepResult(2, "python x.py", False, 0, 1.0)),
        stored_files=3,
        stored_bytes=4200,
        metrics={"loss": 0.5, "kind": "cnn"},
    )
    reported = list(lines(record))
    assert reported[1][1].split(maxsplit=1) == ["COMPLETED", "all is well"]
    assert reported[2:] == [
        ("image", "tensorflow:1  sha256:abc"),
        ("ran on", "local: 1 learner, 1 rank (GPU)"),
        ("command 1", "python t.py"),
        ("", "rank 0: status 0, 7.2 s"),
        ("command 2", "python x.py"),
        ("", "once, on learner 1: status 0, 1.0 s"),
        ("stored", "3 files, 4.2 kB in bucket models/training-abcd2345"),
        ("metrics", "loss 0.5, kind cnn"),
        ("next", "toolkit collect training-abcd2345"),
    ]


def test_a_failed_run_is_reported_with_its_code_and_the_rank_that_left_no_status() -> None:
    record = replace(
        RECORD,
        state=State.FAILED,
        error_code="C201",
        end="program failed",
        reason="why",
        evidence="line 1\nline 2",
        hint="look at the code",
        hosts=("p100-01", "p100-02"),
        steps=(StepResult(1, "a", True, 1, 2.0, (3, None)),),
    )
    reported = list(lines(record))
    assert reported[1] == ("state", "FAILED  C201 program failed: why")
    assert reported[4:] == [
        ("hosts", "p100-01, p100-02"),
        ("command 1", "a"),
        ("", "rank 0: status 3, 2.0 s"),
        ("", "rank 1: no status (killed, or never started), 2.0 s"),
        ("evidence", "line 1"),
        ("evidence", "line 2"),
        ("next", "look at the code"),
    ]


def test_a_run_that_goes_on_from_another_tells_from_which() -> None:
    reported = dict(lines(replace(RECORD, resumed_from="training-old")))
    assert reported["resumed"] == "from training-old"


def test_a_model_that_is_here_is_not_asked_for_again() -> None:
    reported = dict(lines(replace(RECORD, state=State.COMPLETED, collected="/models/x")))
    assert reported["model"] == "/models/x/model"
    assert "next" not in reported

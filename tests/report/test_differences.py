"""How several runs differ."""

from __future__ import annotations

from dataclasses import replace

from toolkit.report.differences import Difference, differences

from .runs import failed, record


def test_what_was_asked_for_comes_first_and_only_what_differs() -> None:
    old = record()
    new = replace(record("training-wxyz6789", seconds=1300.0), compute="p100x4", metrics={**old.metrics, "loss": 0.2})
    found = differences([old, new])
    assert found.asked == (Difference("compute", ("p100x2", "p100x4")), Difference("ran on", ("p100x2", "p100x4")))
    assert found.outcome == (
        Difference("duration", ("34 min 41 s", "24 min 41 s")),
        Difference("metric loss", ("0.142", "0.2")),
    )
    assert "image ID" in found.same
    assert "resumed from" not in found.same


def test_commands_are_compared_as_far_as_both_runs_came() -> None:
    early = failed(record("training-wxyz6789"))
    assert differences([record(), early]).asked == ()
    other = replace(early, steps=(replace(early.steps[0], command="python train.py --seed 7"),))
    assert differences([record(), other]).asked == (
        Difference("commands", ("python train.py --epochs 40", "python train.py --seed 7")),
    )


def test_what_one_run_does_not_have_is_a_dash() -> None:
    found = differences([record(), replace(record("training-wxyz6789"), metrics={}, resumed_from="training-abcd2345")])
    assert Difference("metric accuracy", ("0.9639", "-")) in found.outcome
    assert found.asked == (Difference("resumed from", ("-", "training-abcd2345")),)


def test_the_outcome_of_a_failed_run_differs() -> None:
    assert differences([record(), failed(record())]).outcome[0] == Difference(
        "outcome", ("COMPLETED", "FAILED out-of-memory")
    )


def test_one_run_differs_from_nothing() -> None:
    found = differences([record()])
    assert (found.asked, found.outcome) == ((), ())

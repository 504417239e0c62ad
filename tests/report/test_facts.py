"""What ran on what, and what it left."""

from __future__ import annotations

from dataclasses import replace

from toolkit.metrics.series import Point, RunMetrics, Series
from toolkit.report.facts import (
    Command,
    Fact,
    commands,
    environment,
    figures,
    reported_once,
    results,
    tone,
    what_ran,
)
from toolkit.run.records.record import State

from .runs import BEGIN, failed, record


def test_the_figures_of_a_run() -> None:
    assert [(fact.name, fact.text) for fact in figures(record(), BEGIN)] == [
        *(("duration", "34 min 41 s"), ("ranks", "4"), ("learners", "2")),
        *(("loss", "0.142"), ("accuracy", "0.9639"), ("stored", "48.9 MB")),
    ]


def test_a_run_that_goes_on_has_its_time_so_far() -> None:
    run = replace(record(), state=State.PROCESSING, states=record().states[:4])
    assert figures(run, BEGIN + 90)[0] == Fact("so far", "1 min 30 s")


def test_commands_with_the_statuses_of_their_ranks() -> None:
    found = commands(failed(record()))
    assert [(one.where, one.outcome, one.ok, one.took) for one in found] == [
        ("every rank", "rank 0,2-3: status 0; rank 1: status 137 (SIGKILL)", False, "31 min 40 s")
    ]
    assert commands(record())[1] == Command(
        *(2, "python transform.py", "once", "status 0", True, "1 min 34 s"),
        argv="/bin/bash --norc -c 'python transform.py'",
    )


def test_the_environment_is_read_from_mpiruns_command_line() -> None:
    assert [(fact.name, fact.text) for fact in environment(record())] == [
        ("variables of the ranks", "DATA_DIR, RESULT_DIR, TRAINING_ID"),
        ("Open MPI's parameters", "pml = ob1\nbtl = self,vader,tcp"),
    ]
    assert environment(replace(record(), mpirun="'")) == ()


def test_a_collected_model_is_a_link() -> None:
    run = replace(record(), collected="/home/ada/my models/training-abcd2345")
    link = next(fact for fact in results(run) if fact.href)
    assert link.href == "file:///home/ada/my%20models/training-abcd2345/model"
    assert not any(fact.href for fact in results(replace(run, collected="models/x")))


def test_a_completed_run_says_how_to_collect_its_model_and_a_failed_one_does_not() -> None:
    collect = Fact("collect the model", "toolkit collect training-abcd2345", code=True)
    assert collect in results(record())
    assert collect not in results(failed(record()))


def test_facts_that_a_record_lacks_are_left_out() -> None:
    names = [fact.name for fact in what_ran(replace(record(), code_digest="", hosts=()))]
    assert "code SHA-256" not in names
    assert Fact("hosts", "this machine") in what_ran(replace(record(), hosts=()))


def test_what_was_reported_once_is_a_fact() -> None:
    def series(name: str, rank: int, *values: float) -> Series:
        return Series(name, f"rank {rank}", "", tuple(Point(BEGIN, value) for value in values))

    metrics = (
        *(series("loss", 0, 2.0, 1.0), series("loss", 1, 2.0), series("val_loss", 0, 0.142)),
        *(series("metrics.json/loss", 0, 0.1), series("nothing", 0)),
    )
    assert reported_once(RunMetrics(metrics)) == (Fact("val_loss, rank 0", "0.142"),)


def test_tones() -> None:
    halted = replace(record(), state=State.HALTED)
    active = replace(record(), state=State.STORING)
    assert [tone(run) for run in (record(), failed(record()), halted, active)] == ["good", "bad", "halted", "active"]

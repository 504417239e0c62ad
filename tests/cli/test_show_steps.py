"""What ran where, in few lines, whatever the number of ranks."""

from __future__ import annotations

from dataclasses import replace

from toolkit.cli.show_steps import step_lines
from toolkit.run.records.record import Record, State, StepResult

RECORD = Record(
    *("training-abcd2345", "digits", State.FAILED, "tensorflow:1", "sha256:abc", "oak", 2, 4, False),
    *("embedded", "models", "data", "/m.yml", "/code"),
    placement=((1, "p100-01", (0, 1)), (2, "p100-02", (2, 3))),
)
STEP = StepResult(
    1, "python train.py", True, 0, 14.0, (0, 0, 0, 0), ((1.0, 14.8), (1.0, 14.8), (1.0, 15.2), (1.0, 15.0))
)


def reported(*steps: StepResult, record: Record = RECORD) -> list[tuple[str, str]]:
    return list(step_lines(replace(record, steps=steps)))


def test_ranks_that_all_ended_well_are_one_line() -> None:
    once = StepResult(2, "python transform.py", False, 0, 3.14)
    assert reported(STEP, once) == [
        ("command 1", "python train.py"),
        ("", "ranks 0-3: status 0, 13.8 to 14.2 s"),
        ("command 2", "python transform.py"),
        ("", "once, on learner 1 on p100-01: status 0, 3.1 s"),
    ]


def test_ranks_that_differ_are_reported_with_their_hosts_and_statuses() -> None:
    failed = replace(STEP, exit_status=1, ranks=(0, 0, 137, None), times=((1.0, 2.0), (1.0, 2.0), (1.0, 2.5), None))
    assert reported(replace(failed, attempts=3, folder="/job/code/src")) == [
        ("command 1", "python train.py  (in src/)"),
        ("", "ranks 0-1 on p100-01: status 0, 1.0 s"),
        ("", "rank 2 on p100-02: status 137 (SIGKILL), 1.5 s"),
        ("", "rank 3 on p100-02: no status (killed, or never started)"),
        ("", "3 attempts; the last is shown"),
    ]


def test_on_this_machine_a_learner_stands_for_a_host() -> None:
    here = replace(RECORD, placement=((1, "", (0, 1)), (2, "", (2, 3))))
    lines = reported(replace(STEP, ranks=(0, 0, 0, 3), times=()), record=here)
    assert lines[1:] == [
        ("", "ranks 0-2 on learner 1, learner 2: status 0, 14.0 s"),
        ("", "rank 3 on learner 2: status 3, 14.0 s"),
    ]


def test_what_ran_once_on_each_learner_is_reported_by_learner() -> None:
    each = replace(STEP, each="learner", ranks=(0, 3), times=((1.0, 14.8), (1.0, 2.0)))
    assert reported(each)[1:] == [
        ("", "learner 1 on p100-01: status 0, 13.8 s"),
        ("", "learner 2 on p100-02: status 3, 1.0 s"),
    ]
    here = replace(RECORD, placement=((1, "", (0, 1)), (2, "", (2, 3))))
    assert reported(replace(each, ranks=(0, 0)), record=here)[1:] == [("", "learners 1-2: status 0, 1.0 to 13.8 s")]


def test_mpiruns_own_status_is_reported_where_every_rank_ended_well() -> None:
    assert reported(replace(STEP, exit_status=1))[-1] == ("", "mpirun itself: status 1, 14.0 s")


def test_a_thousand_ranks_are_few_short_lines() -> None:
    ranks = tuple(rank % 250 for rank in range(1000))
    placement = tuple((number + 1, f"host-{number:03}", (number,)) for number in range(1000))
    record = replace(RECORD, placement=placement)
    lines = reported(replace(STEP, ranks=ranks, times=()), record=record)
    assert len(lines) == 14
    assert all(len(text) < 200 for _, text in lines)
    assert lines[-1] == ("", "952 more ranks, with 238 other statuses: toolkit show --json")


def test_a_record_of_before_has_no_places_and_no_times() -> None:
    old = replace(RECORD, placement=())
    assert reported(StepResult(1, "a", True, 1, 2.0, (0, 3)), record=old) == [
        ("command 1", "a"),
        ("", "rank 0: status 0, 2.0 s"),
        ("", "rank 1: status 3, 2.0 s"),
    ]

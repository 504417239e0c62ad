"""A run's record: a value, its states, and how it is read back."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from toolkit.run.records.record import Record, State, StepResult, read_record

RECORD = Record(
    *("training-abcd2345", "digits", State.QUEUED, "tensorflow:1", "sha256:abc", "local", 2, 2, True),
    *("embedded", "models", "data", "/m.yml", "/code"),
)
STEP = StepResult(1, "python train.py", True, 0, 7.5, (0, 0))


def test_a_state_is_reached_at_a_time_and_the_earlier_ones_stay() -> None:
    record = RECORD.at(State.PENDING, 10.0).at(State.FAILED, 20.5)
    assert record.states == (("PENDING", 10.0), ("FAILED", 20.5))
    assert (record.state, record.final, record.seconds) == (State.FAILED, True, 10.5)


def test_a_run_that_goes_on_has_no_duration_yet() -> None:
    assert RECORD.at(State.PENDING, 10.0).seconds is None


@pytest.mark.parametrize("state", list(State))
def test_three_states_are_final(state: State) -> None:
    assert replace(RECORD, state=state).final is (state in (State.COMPLETED, State.FAILED, State.HALTED))


@pytest.mark.parametrize(
    ("status", "ranks", "ok"),
    [
        (0, (0, 0), True),
        (0, (0, None), False),
        (0, (0, 1), False),
        (1, (0, 0), False),
        (None, (), False),
        (0, (), True),
    ],
)
def test_mpiruns_status_alone_is_not_trusted(status: int | None, ranks: tuple[int | None, ...], ok: bool) -> None:
    assert replace(STEP, exit_status=status, ranks=ranks).ok is ok


def test_the_states_are_the_contracts() -> None:
    assert [str(state) for state in State] == [
        *("QUEUED", "PENDING", "DOWNLOADING", "PROCESSING", "STORING", "COMPLETED", "FAILED", "HALTED"),
    ]


def test_what_a_agent_adds_to_a_record_for_its_own_use_is_left_out() -> None:
    assert read_record(asdict(RECORD) | {"note": "n", "waiting": {"queued": 1}}) == RECORD


@pytest.mark.parametrize("missing", ["training_id", "state", "states", "steps"])
def test_what_lacks_a_field_is_no_record(missing: str) -> None:
    data = asdict(RECORD)
    del data[missing]
    with pytest.raises(ValueError, match="no record"):
        read_record(data)


@pytest.mark.parametrize(("name", "value"), [("states", 3), ("state", "DONE"), ("steps", [1]), ("launcher", [1])])
def test_what_has_something_else_in_a_field_is_no_record(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_record(asdict(RECORD) | {name: value})


def test_a_record_of_an_earlier_version_is_read() -> None:
    old = {"number": 1, "command": "a", "parallel": True, "exit_status": 0, "seconds": 7.5, "ranks": [0, None]}
    data = asdict(RECORD) | {"steps": [old]}
    del data["placement"]
    read = read_record(data)
    assert read.steps == (StepResult(1, "a", True, 0, 7.5, (0, None)),)
    assert read.placement == ()


def test_what_ran_where_is_read_back() -> None:
    step = replace(
        STEP, times=((1.0, 2.0), None), attempts=2, folder="/job/code", argv=("a", "b"), started=1.0, ended=2.5
    )
    record = replace(RECORD, steps=(step,), placement=((1, "p100-01", (0,)), (2, "p100-02", (1,))))
    assert read_record(json.loads(json.dumps(asdict(record)))) == record
    assert read_record(asdict(record) | {"steps": [asdict(step) | {"later": 1}]}) == record

"""The records in a person's home: kept whole, and found by a few letters."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.run.records.record import Record, State, StepResult
from toolkit.run.records.record_store import Records

RECORD = Record(
    *("training-abcd2345", "digits [1]", State.QUEUED, "tensorflow:1", "sha256:abc", "local", 2, 2, True),
    *("embedded", "models", "data", "/m.yml", "/code"),
)
STEP = StepResult(1, "python train.py", True, 0, 7.5, (0, 0))


def recorded(home: Path, *ids: str) -> Records:
    """The first is the newest."""
    records = Records(home)
    for age, name in enumerate(ids):
        records.save(replace(RECORD, training_id=name))
        os.utime(home / "runs" / f"{name}.json", (1000 - age, 1000 - age))
    return records


def test_a_record_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    record = replace(RECORD, steps=(STEP, StepResult(2, "x", False, None, 0.0)), metrics={"loss": 0.5})
    record = replace(record, launcher=(12, 345), hosts=("a", "b"), kept=("b",), end="host lost")
    record = record.at(State.PENDING, 10.0).at(State.FAILED, 20.5)
    Records(tmp_path).save(record)
    assert Records(tmp_path).find("training-abcd2345") == record


def test_a_record_is_its_owners_alone(tmp_path: Path) -> None:
    Records(tmp_path / "home").save(RECORD)
    file = tmp_path / "home" / "runs" / "training-abcd2345.json"
    assert [stat.S_IMODE(place.stat().st_mode) for place in (file, file.parent)] == [0o600, 0o700]


def test_the_newest_run_comes_first(tmp_path: Path) -> None:
    assert recorded(tmp_path, "training-cccc2222", "training-bbbb2222", "training-aaaa2222").newest() == [
        *("training-cccc2222", "training-bbbb2222", "training-aaaa2222"),
    ]


@pytest.mark.parametrize("words", ["training-abcd2345", "abcd2345", "training-abc", "abc", "a"])
def test_a_run_is_found_by_the_beginning_of_its_id(tmp_path: Path, words: str) -> None:
    records = recorded(tmp_path, "training-abcd2345", "training-xyzw9876")
    assert records.find(words).training_id == "training-abcd2345"


@pytest.mark.parametrize("words", ["ab", "training-ab", ""])
def test_a_beginning_of_several_names_them(tmp_path: Path, words: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        recorded(tmp_path, "training-abxx2222", "training-abyy2222").find(words)
    assert caught.value.code.label == "C101"
    assert caught.value.what == f"{words} matches several runs: training-abxx2222, training-abyy2222"


def test_a_mistyped_id_is_met_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError) as caught:
        recorded(tmp_path, "training-abcd2345", "training-xyzw9876").find("abcd2354")
    assert str(caught.value) == "C101 no run abcd2354 is recorded here\n  next: did you mean training-abcd2345?"


@pytest.mark.parametrize("words", ["../../etc/passwd", "training-abcd2345/../x", "training-*", "*"])
def test_an_id_is_no_path_and_no_pattern(tmp_path: Path, words: str) -> None:
    with pytest.raises(ToolkitError, match="is recorded here") as caught:
        recorded(tmp_path, "training-abcd2345").find(words)
    assert "training-abcd2345" in caught.value.hint


def test_where_no_run_is_recorded_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError) as caught:
        Records(tmp_path).find("training-x")
    assert str(caught.value) == "C101 no run training-x is recorded here\n  next: the newest runs: none yet"


OTHERS = json.dumps(asdict(replace(RECORD, training_id="training-cccc2222")))


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000, "9" * 5000, "\0", "{}", OTHERS], ids=range(7))
def test_one_record_that_is_damaged_hides_no_other(tmp_path: Path, text: str) -> None:
    records = recorded(tmp_path, "training-aaaa2222", "training-bbbb2222", "training-cccc2222")
    (tmp_path / "runs" / "training-bbbb2222.json").write_text(text)
    assert {record.training_id for record in records.all()} == {"training-aaaa2222", "training-cccc2222"}
    (unreadable,) = (found for _, found in records.each() if isinstance(found, ToolkitError))
    assert "training-bbbb2222" in unreadable.what


def test_a_file_of_another_name_is_no_record_of_a_run(tmp_path: Path) -> None:
    records = recorded(tmp_path, "training-aaaa2222")
    for name in ("training-a.json", "training-AAAA2222.json", "training-aaaa2222.json.json", "settings.json", "x"):
        (tmp_path / "runs" / name).write_text((tmp_path / "runs" / "training-aaaa2222.json").read_text())
    assert records.newest() == ["training-aaaa2222"]


@pytest.mark.parametrize("name", ["/tmp/x", "../x", "training-a", "training-abcd2345\n", "training-abcd2345/../x", ""])
def test_no_record_is_written_under_what_is_no_id(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not a training ID"):
        Records(tmp_path).save(replace(RECORD, training_id=name))


def test_a_record_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.save(replace(RECORD, reason="long " * 100))
    records.save(RECORD)
    assert records.find(RECORD.training_id) == RECORD
    assert [file.name for file in (tmp_path / "runs").iterdir()] == ["training-abcd2345.json"]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
STEPS = st.builds(
    StepResult,
    st.integers(1, 9),
    TEXTS,
    st.booleans(),
    st.none() | st.integers(0, 255),
    st.floats(0, 1e6),
    st.lists(st.none() | st.integers(0, 255), max_size=3).map(tuple),
)
STATES = [state.value for state in State]
RECORDS = st.builds(
    replace,
    st.just(RECORD),
    name=TEXTS,
    state=st.sampled_from(State),
    states=st.lists(st.tuples(st.sampled_from(STATES), st.floats(0, 1e10)), max_size=3).map(tuple),
    steps=st.lists(STEPS, max_size=3).map(tuple),
    reason=TEXTS,
    evidence=TEXTS,
    kept=st.lists(TEXTS, max_size=2).map(tuple),
    launcher=st.none() | st.tuples(st.integers(1, 1 << 22), st.integers(0)),
    metrics=st.dictionaries(TEXTS, st.integers() | st.floats(allow_nan=False) | TEXTS, max_size=3),
)


@settings(max_examples=50, deadline=None)
@given(RECORDS)
def test_any_record_comes_back_as_it_was_saved(tmp_path_factory: pytest.TempPathFactory, record: Record) -> None:
    records = Records(tmp_path_factory.getbasetemp() / "any")
    records.save(record)
    assert records.find(record.training_id) == record

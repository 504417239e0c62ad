"""A run's record, the words for its end, and the code that is submitted."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.run.code import read_code
from toolkit.run.launch import how_it_ended
from toolkit.run.record import Record, Records, State, StepResult

RECORD = Record(
    training_id="training-abcd2345",
    name="digits [1]",
    state=State.QUEUED,
    image="tensorflow:1",
    image_id="sha256:abc",
    cluster="local",
    learners=2,
    ranks=2,
    on_cpu=True,
    endpoint_url="embedded",
    results_bucket="models",
    data_bucket="data",
    manifest_file="/m.yml",
    code_folder="/code",
)
STEP = StepResult(1, "python train.py", True, 0, 7.5, (0, 0))


def test_a_record_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    record = replace(RECORD, steps=(STEP, StepResult(2, "x", False, None, 0.0)), metrics={"loss": 0.5})
    record = record.at(State.PENDING, 10.0).at(State.FAILED, 20.5)
    Records(tmp_path).save(record)
    assert Records(tmp_path).load("training-abcd2345") == record
    assert record.states == (("PENDING", 10.0), ("FAILED", 20.5))


def test_a_record_is_its_owners_alone(tmp_path: Path) -> None:
    Records(tmp_path / "home").save(RECORD)
    file = tmp_path / "home" / "runs" / "training-abcd2345.json"
    assert [stat.S_IMODE(place.stat().st_mode) for place in (file, file.parent)] == [0o600, 0o700]


def test_the_newest_run_comes_first(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for age, name in enumerate(("training-c", "training-b", "training-a")):
        records.save(replace(RECORD, training_id=name))
        os.utime(tmp_path / "runs" / f"{name}.json", (1000 - age, 1000 - age))
    assert records.newest(2) == ["training-c", "training-b"]


@pytest.mark.parametrize("training_id", ["training-unknown", "../../etc/passwd", "", "training-abcd2345/../x"])
def test_an_id_that_is_not_recorded_is_an_error_that_names_the_newest(tmp_path: Path, training_id: str) -> None:
    Records(tmp_path).save(RECORD)
    with pytest.raises(ToolkitError) as caught:
        Records(tmp_path).load(training_id)
    assert "training-abcd2345" in caught.value.mend


@pytest.mark.parametrize(
    ("status", "ranks", "words"),
    [
        (1, (0, 3), "rank 1 exited with status 3"),
        (1, (4, 3), "rank 0 exited with status 4, rank 1 exited with status 3"),
        (1, (0, None), "no exit status from rank 1 (killed, or never started)"),
        (9, (), "exit status 9"),
    ],
)
def test_how_a_step_ended_is_told_by_the_ranks_to_blame(status: int, ranks: tuple[int | None, ...], words: str) -> None:
    assert how_it_ended(replace(STEP, exit_status=status, ranks=ranks)) == words


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


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_code_is_the_folder_without_manifest_history_and_caches(tmp_path: Path) -> None:
    write(tmp_path, "manifest.yml", "train.py", "lib/net.py", ".git/config", "__pycache__/x.pyc", ".venv/bin/python")
    code = read_code(tmp_path, tmp_path / "manifest.yml")
    assert code == (("lib/net.py", tmp_path / "lib/net.py"), ("train.py", tmp_path / "train.py"))


def test_a_link_that_leads_out_of_the_code_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "secret", "code/train.py")
    (tmp_path / "code" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ToolkitError, match="leads out"):
        read_code(tmp_path / "code", tmp_path / "manifest.yml")


def test_a_folder_too_large_to_be_code_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "data.bin").open("wb") as file:
        file.truncate(600 << 20)
    with pytest.raises(ToolkitError, match="that is no code"):
        read_code(tmp_path, tmp_path / "manifest.yml")


def test_an_empty_folder_is_no_code(tmp_path: Path) -> None:
    write(tmp_path, "manifest.yml")
    with pytest.raises(ToolkitError, match="holds no code"):
        read_code(tmp_path, tmp_path / "manifest.yml")


def test_the_states_are_the_contracts() -> None:
    assert [str(state) for state in State] == [
        *("QUEUED", "PENDING", "DOWNLOADING", "PROCESSING", "STORING", "COMPLETED", "FAILED", "HALTED"),
    ]


def test_a_record_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.save(replace(RECORD, reason="long " * 100))
    records.save(RECORD)
    assert records.load(RECORD.training_id) == RECORD
    assert [file.name for file in (tmp_path / "runs").iterdir()] == ["training-abcd2345.json"]


def test_where_no_run_is_recorded_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError) as caught:
        Records(tmp_path).load("training-x")
    assert str(caught.value) == "C101 no run training-x is recorded here\n  next: the newest runs: none yet"


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
RECORDS = st.builds(
    replace,
    st.just(RECORD),
    name=TEXTS,
    state=st.sampled_from(State),
    states=st.lists(st.tuples(TEXTS, st.floats(0, 1e10)), max_size=3).map(tuple),
    steps=st.lists(STEPS, max_size=3).map(tuple),
    reason=TEXTS,
    metrics=st.dictionaries(TEXTS, st.integers() | st.floats(allow_nan=False) | TEXTS, max_size=3),
)


@settings(max_examples=50, deadline=None)
@given(RECORDS)
def test_any_record_comes_back_as_it_was_saved(tmp_path_factory: pytest.TempPathFactory, record: Record) -> None:
    records = Records(tmp_path_factory.getbasetemp() / "any")
    records.save(record)
    assert records.load(record.training_id) == record

"""What two runs left: a run is identical to itself; each thing that differs decides the verdict, or is set apart."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.run.document.sample import CODE_FILES, FILES, RUN, document
from toolkit.agent.checksums import sha256_of, write_list
from toolkit.errors import Code, ToolkitError
from toolkit.run.comparison.outcome import Comparison, Left, MetricDifference, Verdict, compared
from toolkit.run.comparison.stored import StoredResults, compare_stored
from toolkit.run.comparison.weights import Followed, Parting
from toolkit.run.document.find import in_place
from toolkit.run.document.model import read_document
from toolkit.run.document.places import InFolder

PARTED = {1: Followed(200, Parting(1, 1, 100, 200, "dense/kernel [4]", 1))}


def left(files: dict[str, str] | None = None, **more: Any) -> Left:
    """What the sample left, with other results."""
    values = copy.deepcopy(document())
    for name, value in more.items():
        values[name] = value
    read = read_document(json.dumps(values).encode())
    return Left(read, {one.path: one.sha256 for one in read.results.files} if files is None else files)


def verdict(other: Left, tolerance: float = 0.0, weights: dict[int, Followed] | None = None) -> Comparison:
    return compared(left(), other, (), weights or {}, tolerance=tolerance)


def test_a_run_is_identical_to_itself() -> None:
    found = verdict(left())
    assert found.verdict is Verdict.IDENTICAL
    assert (found.same_files, found.files, found.apart) == (3, (), ())


@pytest.mark.parametrize(
    "path",
    [
        *("learner-1/training-log.txt", "_run/output.log", "_run/anything", "model/fingerprint.pb", "fingerprint.pb"),
        *("logs/events.out.tfevents.1700000000.host.1.0.v2", "events.out.tfevents.1"),
    ],
)
def test_what_holds_times_or_random_ids_is_reported_apart_and_does_not_count(path: str) -> None:
    found = verdict(left({**left().files, path: "f" * 64}))
    assert (found.verdict, found.apart, found.files) == (Verdict.IDENTICAL, (path,), ())


@pytest.mark.parametrize(
    ("files", "tolerance", "expected"),
    [
        ({"model/saved_model.pb": "f" * 64}, 0.0, Verdict.DIFFERENT),
        ({"model/saved_model.pb": "f" * 64}, 0.1, Verdict.WITHIN),
        ({"model/more": "f" * 64}, 0.1, Verdict.DIFFERENT),
    ],
)
def test_a_file_that_differs_decides_unless_the_metrics_are_within_a_tolerance(
    files: dict[str, str], tolerance: float, expected: Verdict
) -> None:
    found = verdict(left({**left().files, **files}), tolerance)
    assert found.verdict is expected
    assert [one.path for one in found.files] == list(files)


@pytest.mark.parametrize(
    ("metrics", "tolerance", "expected"),
    [
        ({"loss": 0.51}, 0.0, Verdict.DIFFERENT),
        ({"loss": 0.51}, 0.02, Verdict.WITHIN),
        ({"loss": 0.52}, 0.02, Verdict.DIFFERENT),
        ({"loss": "0.5"}, 1.0, Verdict.DIFFERENT),
        ({"loss": 0.5, "more": 1}, 1.0, Verdict.DIFFERENT),
        ({}, 1.0, Verdict.DIFFERENT),
        ({"loss": 0.5}, 0.0, Verdict.IDENTICAL),
    ],
)
def test_metrics_decide_with_and_without_a_tolerance(
    metrics: dict[str, Any], tolerance: float, expected: Verdict
) -> None:
    assert verdict(left(metrics=metrics), tolerance).verdict is expected


def test_digests_of_weights_are_no_file_that_differs() -> None:
    found = verdict(left({**left().files, "_run/weights.1.jsonl": "f" * 64}))
    assert (found.verdict, found.apart, found.files) == (Verdict.IDENTICAL, (), ())


def test_weights_that_part_and_another_end_are_different() -> None:
    assert verdict(left(), weights=PARTED).verdict is Verdict.DIFFERENT
    assert verdict(left(), weights={1: Followed(200)}).verdict is Verdict.IDENTICAL
    end = document()["end"] | {"state": "FAILED"}
    assert verdict(left(end=end), tolerance=1.0).verdict is Verdict.DIFFERENT


def test_two_runs_that_left_nothing_but_logs_are_not_called_identical() -> None:
    nothing = left({"_run/output.log": "f" * 64}, metrics={})
    assert compared(nothing, nothing, (), {}).verdict is Verdict.NOTHING


NUMBERS = st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False)


@given(NUMBERS, NUMBERS)
def test_a_difference_of_numbers_is_symmetric_and_nothing_only_of_equal_ones(one: float, other: float) -> None:
    there, back = (
        compared(left(metrics={"a": a}), left(metrics={"a": b}), (), {}) for a, b in ((one, other), (other, one))
    )
    assert there.metrics[0].relative == back.metrics[0].relative
    assert (there.verdict is Verdict.IDENTICAL) == (one == other)
    assert MetricDifference("a", one, other, there.metrics[0].relative).within(2.0)


def archive(weights: bytes, saved: str) -> bytes:
    """As Keras saves a model: its weights, and when."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as opened:
        opened.writestr("metadata.json", json.dumps({"date_saved": saved}))
        opened.writestr("model.weights.h5", weights)
    return data.getvalue()


def stored(folder: Path, files: dict[str, bytes]) -> StoredResults:
    """A copy of a run's folder with these results."""
    sums = write_list({f"{RUN}/{path}": sha256_of(data) for path, data in files.items()})
    values = document(checksums=sha256_of(sums))
    values["results"]["files"] = [{"path": path, "sha256": sha256_of(files[path])} for path in sorted(files)]
    everything = {**files, **{f"_submitted_code/{name}": data for name, data in CODE_FILES.items()}}
    everything |= {"_run/SHA256SUMS": sums, "record.json": json.dumps(values).encode()}
    for path, data in everything.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    place = InFolder(folder)
    return StoredResults(in_place(place, RUN), place)


def test_a_keras_archive_is_compared_by_its_weights(tmp_path: Path) -> None:
    first = stored(tmp_path / "1", {**FILES, "a.keras": archive(b"weights", "monday")})
    later = stored(tmp_path / "2", {**FILES, "a.keras": archive(b"weights", "tuesday")})
    other = stored(tmp_path / "3", {**FILES, "a.keras": archive(b"others", "monday")})
    broken = stored(tmp_path / "4", {**FILES, "a.keras": b"no archive"})
    assert compare_stored(first, later, 0).verdict is Verdict.IDENTICAL
    assert compare_stored(first, later, 0).apart == ("a.keras",)
    for one in (other, broken):
        found = compare_stored(first, one, 0)
        assert (found.verdict, [each.path for each in found.files]) == (Verdict.DIFFERENT, ["a.keras"])


class Unreachable(InFolder):
    """Results in a bucket that does not answer."""

    def read(self, path: str, most: int) -> bytes | None:
        raise ToolkitError(Code.LOADING_DATA, f"{path}, {most}: no answer")


def test_a_record_whose_results_cannot_be_reached_is_compared_by_what_it_says(tmp_path: Path) -> None:
    history = b'{"kind": "format", "format": 1, "program": "ddl"}\n'
    here = stored(tmp_path, {**FILES, "_run/weights.1.jsonl": history})
    gone = StoredResults(here.found, Unreachable(tmp_path))
    found = compare_stored(gone, here, 0)
    assert (found.verdict, found.same_files, found.weights) == (Verdict.IDENTICAL, 3, {})
    assert "weights were not compared" in found.notes[0]


def test_weights_that_were_changed_after_a_run_are_not_compared(tmp_path: Path) -> None:
    history = b'{"kind": "format", "format": 1, "program": "ddl"}\n'
    runs = [stored(tmp_path / name, {**FILES, "_run/weights.1.jsonl": history}) for name in "12"]
    assert compare_stored(runs[0], runs[1], 0).weights == {1: Followed(0)}
    (tmp_path / "2" / "_run" / "weights.1.jsonl").write_bytes(history * 2)
    found = compare_stored(runs[0], runs[1], 0)
    assert found.weights == {}
    assert found.notes == (
        f"weights were not compared: _run/weights.1.jsonl of {RUN} is not there, or not as recorded",
    )

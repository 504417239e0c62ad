"""The run's record in the making, as those who watch see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.agent import run_state as state
from toolkit.agent.end_reasons import End, Reason
from toolkit.agent.run_state import RunState, write_whole
from toolkit.agent.upload_progress import Waiting


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        @staticmethod
        def time() -> float:
            return 43_200.0

    monkeypatch.setattr(state, "time", Clock)


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_each_state_is_added_to_what_the_operator_began(tmp_path: Path) -> None:
    run = RunState({"training_id": "t", "states": [["QUEUED", 1.0]]}, tmp_path / "state.json")
    run.enter("PROCESSING", "a note")
    assert read(tmp_path / "state.json") == {
        "training_id": "t",
        "state": "PROCESSING",
        "states": [["QUEUED", 1.0], ["PROCESSING", 43_200.0]],
        "note": "a note",
    }


def test_what_waits_is_reported_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    run = RunState({}, file)
    run.waiting(Waiting(2, 1, 0))
    assert read(file)["waiting"] == {"queued": 2, "uploading": 1, "errored": 0}
    file.unlink()
    run.waiting(Waiting(2, 1, 0))
    assert not file.exists()


def test_an_end_has_its_reason_code_evidence_and_what_to_do_next_and_waits_for_nothing(tmp_path: Path) -> None:
    run = RunState({}, tmp_path / "state.json")
    run.waiting(Waiting(2, 1, 0))
    run.results(stored_files=3)
    run.end(End(Reason.BUCKET_FULL, "what", "said", "fix it", ("p100-01",)))
    assert read(tmp_path / "state.json") == {
        **{"state": "FAILED", "states": [["FAILED", 43_200.0]], "note": "what", "stored_files": 3},
        **{"end": "bucket full", "reason": "what", "error_code": "S303"},
        **{"evidence": "said", "hint": "fix it", "kept": ["p100-01"]},
    }


def test_a_disk_that_is_full_keeps_no_run_from_its_end(tmp_path: Path) -> None:
    run = RunState({}, tmp_path / "no folder" / "state.json")
    run.end(End(Reason.COMPLETED, "all is well"))
    assert run.record["state"] == "COMPLETED"


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"long " * 1000)
    write_whole(tmp_path / "file", b"short")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"file": b"short"}

"""The public record, as an agent completes it. Values against values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from toolkit.agent.run_document import MOST_FILES, completed, document_bytes, key_for

from .jobs import RUN

A, B = "a" * 64, "b" * 64
LAUNCHED = {"schema": "urn:toolkit:run-record:1", "run": {"id": RUN}}


def record(**more: Any) -> dict[str, Any]:
    """A run's internal record at its end."""
    values = {
        "states": [["QUEUED", 1.0], ["COMPLETED", 2.5]],
        "state": "COMPLETED",
        "end": "completed",
        "reason": "all commands exited with 0",
        "error_code": "",
        "evidence": "",
        "hint": "for the operator alone",
        "kept": [],
        "steps": [
            {"number": 1, "command": "python t.py", "exit_status": 0, "seconds": 1.5, "ranks": [0], "argv": ["x"]}
        ],
        "stored_files": 2,
        "stored_bytes": 30,
        "metrics": {"loss": 0.5},
        "checksums": A,
    }
    return values | more


def test_stages_of_hosts_are_in_it_where_there_are_any() -> None:
    one = {"host": "", "offset": None, "operator_clock": [], "host_clock": [], "more": 1}
    found = completed(RUN, LAUNCHED, record(host_stages=[one]), {})
    assert found["host_stages"] == [{"host": "", "offset": None, "operator_clock": [], "host_clock": []}]
    assert "host_stages" not in completed(RUN, LAUNCHED, record(), {})


def test_what_the_launch_sent_is_completed_by_how_the_run_ended() -> None:
    found = completed(RUN, LAUNCHED, record(), {f"{RUN}/model/w": B, "_wml_checkpoints/c": A})
    assert found == LAUNCHED | {
        "stages": [{"state": "QUEUED", "at": 1.0}, {"state": "COMPLETED", "at": 2.5}],
        "steps": [{"number": 1, "exit_status": 0, "seconds": 1.5, "ranks": [0], "argv": ["x"]}],
        "end": {
            "state": "COMPLETED",
            "reason": "completed",
            "what": "all commands exited with 0",
            "error_code": "",
            "evidence": "",
            "kept": [],
        },
        "metrics": {"loss": 0.5},
        "results": {
            "stored_files": 2,
            "stored_bytes": 30,
            "list_sha256": A,
            "files": [{"path": "model/w", "sha256": B}],
            "omitted": 0,
            "disputed": [],
            "checkpoints": [{"path": "c", "sha256": A}],
        },
    }


def test_of_very_many_files_the_first_are_named_and_the_others_counted() -> None:
    sums = {f"{RUN}/{number:06}": A for number in range(MOST_FILES + 7)}
    results = completed(RUN, LAUNCHED, record(), sums)["results"]
    assert (len(results["files"]), results["omitted"]) == (MOST_FILES, 7)
    assert results["files"][-1]["path"] == f"{MOST_FILES - 1:06}"


def test_a_file_that_two_hosts_wrote_differently_is_named_without_a_checksum() -> None:
    results = completed(RUN, LAUNCHED, record(), {f"{RUN}/a": A}, {f"{RUN}/both", "_wml_checkpoints/c"})["results"]
    assert results["disputed"] == ["both"]


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 1 << 62, "x" * 4097])
def test_metrics_that_no_report_may_have_are_left_out(number: float) -> None:
    found = completed(RUN, LAUNCHED, record(metrics={"bad": number, "good": 1}), {})
    assert json.loads(document_bytes(found), parse_constant=pytest.fail)["metrics"] == {"good": 1}


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ([f"{RUN}/model/w"], f"{RUN}/record.json"),
        ([f"{RUN}/record.json"], f"{RUN}/_run/record.json"),
        ([f"{RUN}/record.json/in a folder"], f"{RUN}/_run/record.json"),
        ([f"{RUN}/_run/record.json"], f"{RUN}/_run/record.json"),
        ([f"{RUN}/record.jsonl", f"{RUN}/model/record.json"], f"{RUN}/record.json"),
        ([], f"{RUN}/_run/record.json"),
    ],
)
def test_a_programs_own_file_of_that_name_is_not_overwritten(written: list[str], key: str) -> None:
    assert key_for(RUN, written) == key

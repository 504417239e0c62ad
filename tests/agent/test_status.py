"""What the supervisor says of each command lies where the program can write: only what has the right form is taken."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agent.facts import Facts
from toolkit.agent.outcome import judge
from toolkit.agent.status import checked, read_status
from toolkit.agent.untrusted import NotRegular

from .jobs import facts, job, step

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)
FIELDS = ["steps", "number", "started", "ended", "exit_status", "why", "limit", "missing_ranks", "unsynchronised"]
FIELDS += ["silent_learners", "lost_learners", "start_deadline", "lost_seconds", "argv", "folder", "attempts"]


def test_what_the_supervisor_wrote_is_taken_as_it_is() -> None:
    about = step(1, 3, why="time limit", limit=60, missing_ranks=[1], attempts=2, folder="/job/code", argv=["mpirun"])
    found = checked({"steps": [about], "silent_learners": ["learner-2"], "start_deadline": 60}, job())
    assert found["steps"] == [about | {"unsynchronised": None}]
    assert (found["silent_learners"], found["start_deadline"]) == (["learner-2"], 60)


@pytest.mark.parametrize(("said", "met"), [(4096, 4096), (0, 0), (-1, 0), ("4096", 0), (True, 0), (None, 0)])
def test_a_limit_of_processes_that_was_met_is_taken_as_a_number(said: object, met: int) -> None:
    assert checked({"steps": [], "processes_met": said}, job())["processes_met"] == met


def test_a_command_that_has_not_ended_has_no_status() -> None:
    found = checked({"steps": [{"number": 1, "command": "x", "started": 1.5}]}, job())
    assert found["steps"][0].get("exit_status", "none") == "none"


def test_what_a_command_is_stands_in_the_job() -> None:
    found = checked({"steps": [step(1) | {"command": "rm -rf /"}, step(2) | {"number": 9}]}, job())
    assert [(one["number"], one["command"]) for one in found["steps"]] == [(1, "python train.py")]


FORGED = st.dictionaries(st.sampled_from(FIELDS), JSON)


@given(st.lists(FORGED, max_size=3), FORGED)
def test_whatever_a_program_writes_there_the_run_has_an_end_and_is_not_completed(
    steps: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    numbered = [one | {"number": number} for number, one in enumerate(steps, 1)]
    found = checked(more | {"steps": numbered}, job())
    assert found == checked(json.loads(json.dumps(found)), job()) or "unsynchronised" in str(found)
    end = judge(job(), Facts(found, facts().reports))
    whole = [one.get("exit_status") for one in found.get("steps", [])] == [0, 0]
    assert end.reason.state != "COMPLETED" or whole


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 200_000, '{"steps": 5}'])
def test_a_status_that_is_none_has_no_steps(tmp_path: Path, text: str) -> None:
    (tmp_path / "status.json").write_text(text)
    assert read_status(tmp_path, job()).get("steps", []) == []


def test_something_else_in_its_place_is_distinguished(tmp_path: Path) -> None:
    assert read_status(tmp_path, job()) == {}
    os.mkfifo(tmp_path / "status.json")
    with pytest.raises(NotRegular, match=r"status\.json is a FIFO"):
        read_status(tmp_path, job())

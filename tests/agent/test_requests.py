"""What an operator's commands leave for a run's agent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolkit.agent import requests
from toolkit.agent.job_spec import read_job

from .jobs import job


def test_a_rescues_follower_does_not_take_the_end_of_the_agent_before_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The volume of a run that could not be stored has the record of its end."""
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"state": "FAILED", "reason": "38 files could not be stored"}))
    monkeypatch.setattr(requests, "STATE", str(state))
    monkeypatch.setattr(requests, "JOB", str(tmp_path / "job.json"))
    requests.go(job().to_json())
    assert not state.exists()
    assert read_job((tmp_path / "job.json").read_text()) == job()


def test_a_first_job_finds_no_record_to_remove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "STATE", str(tmp_path / "state.json"))
    monkeypatch.setattr(requests, "JOB", str(tmp_path / "job.json"))
    requests.go(job().to_json())
    assert [file.name for file in tmp_path.iterdir()] == ["job.json"]

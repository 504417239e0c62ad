"""roc-validator accepts the crate of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.run.document.sample import RUN, document
from tests.run.document.stored import StoredRun, on_this_machine
from tests.storage.stand_in_s3 import standing_in
from toolkit.agent.run_document import document_bytes
from toolkit.api.run_records import export_record
from toolkit.run.document.crate import METADATA

from .validator import issues

PROFILES = ("process-run-crate-0.5", "workflow-run-crate-0.5", "provenance-run-crate-0.5", "workflow-ro-crate-1.0")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoredRun]:
    with standing_in() as server:
        yield on_this_machine(server, tmp_path / "home", monkeypatch)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_crate_of_a_run_is_accepted(run: StoredRun, tmp_path: Path, profile: str) -> None:
    assert issues(export_record(RUN, tmp_path / "crate"), profile) == []


def test_the_crate_of_a_failed_run_is_accepted(run: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = document()["end"] | {"state": "FAILED", "reason": "program failed", "what": "rank 1 died"}
    copy = run.download(tmp_path / "copy")
    (copy / "record.json").write_bytes(document_bytes(document() | {"end": ended, "steps": document()["steps"][:1]}))
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "another home"))
    crate = export_record(copy / "record.json", tmp_path / "crate", folder=copy)
    assert issues(crate, "provenance-run-crate-0.5") == []


def without(found: list[dict[str, Any]], name: str, field: str) -> None:
    next(one for one in found if one["@id"] == name).pop(field)


@pytest.mark.parametrize(
    ("name", "field", "profile", "said"),
    [
        ("#run", "instrument", "process-run-crate-0.5", "instrument"),
        ("./", "mainEntity", "workflow-run-crate-0.5", "mainEntity"),
        ("#step-1", "workExample", "provenance-run-crate-0.5", "HowToStep"),
        ("./", "license", "workflow-ro-crate-1.0", "license"),
    ],
)
def test_a_crate_that_lacks_something_is_not(
    run: StoredRun, tmp_path: Path, name: str, field: str, profile: str, said: str
) -> None:
    """The validator really looks: otherwise the tests above could not fail."""
    file = export_record(RUN, tmp_path / "crate") / METADATA
    content = json.loads(file.read_text())
    without(content["@graph"], name, field)
    file.write_text(json.dumps(content))
    assert any(said in one for one in issues(file.parent, profile))

"""The sample run, stored in a stand-in for an S3 store and known on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.stand_in_s3 import StandInS3, standing_in

from .stored import StoredRun, on_this_machine


@pytest.fixture(scope="module")
def server() -> Iterator[StandInS3]:
    with standing_in() as server:
        yield server


@pytest.fixture
def run(server: StandInS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredRun:
    return on_this_machine(server, tmp_path / "home", monkeypatch)

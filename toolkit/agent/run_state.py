"""The current state of the run, as its agent sees it: one file, replaced atomically, which followers read."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from toolkit.agent.end_reasons import End
from toolkit.agent.paths import STATE
from toolkit.agent.upload_progress import Waiting


class RunState:
    """The run's record in progress. `record` begins as the operator made it; each method saves its change."""

    def __init__(self, record: dict[str, Any], file: Path = Path(STATE)) -> None:
        self.record, self._file = record, file

    def enter(self, state: str, note: str) -> None:
        """The run has reached `state`."""
        states = [*self.record.get("states", []), [state, time.time()]]
        self._save(state=state, states=states, note=note)

    def waiting(self, waiting: Waiting) -> None:
        """What is still to be uploaded here."""
        now = {"queued": waiting.queued, "uploading": waiting.uploading, "errored": waiting.errored}
        if now != self.record.get("waiting"):
            self._save(waiting=now)

    def results(self, **facts: Any) -> None:
        """The run's results: its steps, what is stored, metrics."""
        self._save(**facts)

    def end(self, end: End, at: float | None = None) -> None:
        """The run has ended, `at` (seconds since 1970; default: now)."""
        self.record = ended(self.record, end, time.time() if at is None else at)
        self._save()

    def _save(self, **facts: Any) -> None:
        self.record = self.record | facts
        with suppress(OSError):  # on a full disk, current followers do not see it; the end is also stored in the bucket
            write_whole(self._file, json.dumps(self.record, indent=1).encode())


def ended(record: dict[str, Any], end: End, at: float) -> dict[str, Any]:
    """The record of a run that has ended so, `at` (seconds since 1970). Pure."""
    facts = {
        "state": end.reason.state,
        "states": [*record.get("states", []), [end.reason.state, at]],
        "note": end.what,
        "end": end.reason.value,
        "reason": end.what,
        "error_code": end.error_code,
        "evidence": end.evidence,
        "hint": end.hint,
        "kept": list(end.kept),
    }
    return {name: value for name, value in (record | facts).items() if name not in ("waiting", "silent")}


def write_whole(file: Path, content: bytes) -> None:
    """Replace a file atomically, after an fsync: a reader never sees a partial file."""
    new = file.with_name(f".{file.name}.new")
    with new.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)

"""The record of a run: what was asked, what happened, how it ended. A file per run, for its owner alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from toolkit.errors import Code, ToolkitError
from toolkit.places import private_folder
from toolkit.whole_file import write_whole

Metric = int | float | str
"""What a program or a check says of a model."""


def metrics_of(text: str | bytes) -> dict[str, Metric]:
    """The numbers and short texts of a JSON object that a program wrote; nothing where it is none."""
    try:
        found = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, int | float | str)}


class State(StrEnum):
    """The states of Watson ML and FfDL; the last three are final."""

    QUEUED = "QUEUED"
    PENDING = "PENDING"
    DOWNLOADING = "DOWNLOADING"
    PROCESSING = "PROCESSING"
    STORING = "STORING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    HALTED = "HALTED"


@dataclass(frozen=True)
class StepResult:
    """A command's own status; `ranks` are those of the ranks it ran on, in order, None where a rank left none."""

    number: int
    command: str
    parallel: bool
    exit_status: int | None
    seconds: float
    ranks: tuple[int | None, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the command and every one of its ranks ended with 0."""
        return self.exit_status == 0 and all(status == 0 for status in self.ranks)


@dataclass(frozen=True)
class Record:
    """A run. `reason` says why it ended as it did; `error_code` is the contract's; `hosts` are those that it
    ran on, learner 1's first; none on this machine."""

    training_id: str
    name: str
    state: State
    image: str
    image_id: str
    cluster: str
    learners: int
    ranks: int
    on_cpu: bool
    endpoint_url: str
    results_bucket: str
    data_bucket: str
    manifest_file: str
    code_folder: str
    mpirun: str = ""
    states: tuple[tuple[str, float], ...] = ()
    steps: tuple[StepResult, ...] = ()
    stored_files: int = 0
    stored_bytes: int = 0
    reason: str = ""
    error_code: str = ""
    collected: str = ""
    metrics: dict[str, Metric] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()

    def at(self, state: State, now: float) -> Record:
        """The same run, `state` reached at `now` (seconds since 1970)."""
        return replace(self, state=state, states=(*self.states, (state.value, now)))


class Records:
    """The records in a person's home."""

    def __init__(self, home: Path) -> None:
        self._folder = private_folder(home / "runs")

    def save(self, record: Record) -> None:
        """Write the record in one move; a reader never sees half of it."""
        write_whole(self._file(record.training_id), json.dumps(asdict(record), indent=1).encode(), mode=0o600)

    def load(self, training_id: str) -> Record:
        """The record; raises `ToolkitError` (C101) with the newest runs where there is none of that id."""
        try:
            data = json.loads(self._file(training_id).read_text())
        except OSError:
            known = ", ".join(self.newest(5)) or "none yet"
            raise ToolkitError(
                Code.MANIFEST, f"no run {training_id} is recorded here", mend=f"the newest runs: {known}"
            ) from None
        except ValueError:
            raise self._damaged(training_id) from None
        try:
            data["state"] = State(data["state"])
            data["states"] = tuple((name, at) for name, at in data["states"])
            data["steps"] = tuple(StepResult(**(step | {"ranks": tuple(step["ranks"])})) for step in data["steps"])
            data["hosts"] = tuple(data.get("hosts", ()))
            return Record(**data)
        except (KeyError, TypeError, ValueError):
            raise self._damaged(training_id) from None

    def _damaged(self, training_id: str) -> ToolkitError:
        return ToolkitError(
            Code.RESOURCES,
            f"{self._file(training_id)} is no record that this version can read",
            mend="it was damaged, or written by another version of toolkit",
        )

    def newest(self, count: int) -> list[str]:
        """The ids of the newest runs, newest first."""
        return [file.stem for file in sorted(self._files(), key=lambda file: -file.stat().st_mtime)[:count]]

    def _files(self) -> Iterator[Path]:
        return self._folder.glob("training-*.json")

    def _file(self, training_id: str) -> Path:
        # An id comes from the command line: nothing but a name may reach the path.
        name = training_id if training_id.replace("-", "").isalnum() else "no-such-run"
        return self._folder / f"{name}.json"

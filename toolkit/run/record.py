"""The record of a run: what was asked, what happened, how it ended. A value."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from toolkit.keeper.metrics import Metric


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
    """A run.

    Attributes:
        reason: why it ended as it did, in a sentence; `end` is the same in a word of `toolkit.keeper.ends.Reason`.
        error_code: the contract's.
        evidence, mend: the last lines of what went wrong, and what to do next.
        kept: hosts that keep something of it that is not in the bucket, or may.
        hosts: those that it ran on, learner 1's first; none on this machine.
        cluster_file: where its hosts are described; empty on this machine.
        launcher: process id and start time (clock ticks since boot) of who launches it, while it is being launched.
        resumed_from: the run that it continues, or repeats.
        code_digest: SHA-256 over the submitted files' paths, modes and contents (`toolkit.run.code_listing`).
    """

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
    cluster_file: str = ""
    end: str = ""
    evidence: str = ""
    mend: str = ""
    kept: tuple[str, ...] = ()
    launcher: tuple[int, int] | None = None
    resumed_from: str = ""
    code_digest: str = ""

    @property
    def final(self) -> bool:
        """Whether it is over."""
        return self.state in (State.COMPLETED, State.FAILED, State.HALTED)

    @property
    def seconds(self) -> float | None:
        """How long it took, or None where it is not over."""
        return self.states[-1][1] - self.states[0][1] if self.final and self.states else None

    def at(self, state: State, now: float) -> Record:
        """The same run, `state` reached at `now` (seconds since 1970)."""
        return replace(self, state=state, states=(*self.states, (state.value, now)))


def read_record(data: dict[str, Any]) -> Record:
    """A record as `asdict` gives it; what else is in `data` is left out. Raises `ValueError` where it is none."""
    try:
        known = {field.name: data[field.name] for field in fields(Record) if field.name in data}
        known["state"] = State(known["state"])
        known["states"] = tuple((name, at) for name, at in known["states"])
        known["steps"] = tuple(StepResult(**(step | {"ranks": tuple(step["ranks"])})) for step in known["steps"])
        for name in ("hosts", "kept"):
            known[name] = tuple(known.get(name, ()))
        launcher = known.get("launcher")
        known["launcher"] = (int(launcher[0]), int(launcher[1])) if launcher else None
        return Record(**known)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"no record: {error}") from None

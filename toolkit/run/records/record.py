"""The record of a run: what was asked, what happened, how it ended. A value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from toolkit.agent.host_stages import HostStages
from toolkit.agent.metrics import Metric
from toolkit.manifest.compute import CPU, split
from toolkit.manifest.results import place_at
from toolkit.run.plan.training_id import CheckedId

_YEAR_10000 = 253_402_300_800
Moment = Annotated[float, Field(ge=0, lt=_YEAR_10000)]
"""Seconds since 1970, before the year 10000: the range of a date."""
_LONGEST, _MOST_STAGES = 255, 64


def _bounded(found: HostStages) -> HostStages:
    stages = (*found.operator_clock, *found.host_clock)
    if len(stages) > _MOST_STAGES or not all(0 <= one.start <= one.end < _YEAR_10000 for one in stages):
        raise ValueError("too many stages, or times that are none")
    if max(len(found.host), *(len(text) for one in stages for text in (one.name, one.note)), 0) > _LONGEST:
        raise ValueError(f"a text of more than {_LONGEST} characters")
    if found.offset and not (abs(found.offset.ahead) < _YEAR_10000 and 0 <= found.offset.error < _YEAR_10000):
        raise ValueError("an offset that is none")
    return found


BoundedStages = Annotated[HostStages, AfterValidator(_bounded)]
"""The agent's module has the standard library alone, so the bounds are here. NaN is within none."""


class State(StrEnum):
    """The states of Watson ML and FfDL."""

    QUEUED = "QUEUED"
    PENDING = "PENDING"
    DOWNLOADING = "DOWNLOADING"
    PROCESSING = "PROCESSING"
    STORING = "STORING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    HALTED = "HALTED"

    @property
    def final(self) -> bool:
        """Whether a run in this state has ended."""
        return self in (State.COMPLETED, State.FAILED, State.HALTED)


@dataclass(frozen=True)
class StepResult:
    """A command's own status, and what ran.

    Attributes:
        ranks: the statuses of its ranks, in order, None if a rank left none; empty if it ran once, on rank 0's host. If
            `each` is `learner`, it ran once on each learner, and these are theirs.
        times: each rank's start and end (seconds since 1970), None if it was not started or left none.
        started, ended: of the whole command, in the last of its `attempts`.
        folder, argv: as it was started; empty in records of earlier versions.
    """

    number: int
    command: str
    parallel: bool
    exit_status: int | None
    seconds: float
    ranks: tuple[int | None, ...] = ()
    times: tuple[tuple[Moment, Moment] | None, ...] = ()
    started: Moment | None = None
    ended: Moment | None = None
    attempts: int = 1
    folder: str = ""
    argv: tuple[str, ...] = ()
    each: Literal["rank", "learner"] = "rank"

    @property
    def ok(self) -> bool:
        """Whether the command and every one of its ranks exited with 0."""
        return self.exit_status == 0 and all(status == 0 for status in self.ranks)


@dataclass(frozen=True)
class Record:
    """A run.

    Attributes:
        reason: why it ended as it did, in a sentence; `end` is its `toolkit.agent.end_reasons.Reason`.
        error_code: one of the contract's error codes.
        evidence, hint: the last lines of what went wrong, and what to do next.
        kept: hosts that have, or may have, something of it that is not in the bucket.
        hosts: those that it ran on, learner 1's first; empty on this machine.
        cluster_file: where its hosts are described; empty on this machine.
        launcher: process id and start time (clock ticks since boot) of its launcher, while it is being launched.
        resumed_from: the run that it continues, or repeats.
        checkpoint: the one of `resumed_from` that only the later commands ran on, by its path in the bucket; empty for
            a run that trains.
        reproduces: the run that it reproduces.
        deterministic: whether it was launched with the framework's variables for that.
        placement: for each learner its number, its host (empty: this machine) and its ranks; empty in records of
            earlier versions.
        code_folder: where its code is from: a folder's path, or the earlier run whose code it repeats.
        compute: what its manifest asked for, such as `p100x2` or `cpu`; empty in records of earlier versions.
        code_digest: SHA-256 over the submitted files' paths, modes and contents (`toolkit.run.plan.code_listing`).
        checksums: SHA-256 of the list of checksums of what its programs wrote (`toolkit.agent.run_checksums`); empty if
            there is none.
        write_local: its programs write results to the host's disk, and not through a mount.
        host_stages: when each of its hosts, learner 1's first, went through which stage; empty in records of earlier
            versions.
    """

    training_id: CheckedId
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
    states: tuple[tuple[str, Moment], ...] = ()
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
    hint: str = ""
    kept: tuple[str, ...] = ()
    launcher: tuple[int, int] | None = None
    resumed_from: str = ""
    placement: tuple[tuple[int, str, tuple[int, ...]], ...] = ()
    code_digest: str = ""
    checksums: str = ""
    compute: str = ""
    checkpoint: str = ""
    write_local: bool = False
    reproduces: str = ""
    deterministic: bool = False
    host_stages: tuple[BoundedStages, ...] = ()

    @property
    def ran_on(self) -> str:
        """`p100x2`, `CPU`, or that the CPU was used instead of GPUs."""
        if self.compute and split(self.compute).kind == CPU:
            return "CPU"
        return "CPU instead of GPUs" if self.on_cpu else self.compute or "GPU"

    @property
    def final(self) -> bool:
        """Whether it has ended."""
        return self.state.final

    @property
    def results_place(self) -> str:
        """Where its results are, for display: `bucket oak-results`, `folder /srv/results`."""
        return place_at(self.endpoint_url, self.results_bucket)

    @property
    def seconds(self) -> float | None:
        """Its duration in seconds; None if it has not ended."""
        return self.states[-1][1] - self.states[0][1] if self.final and self.states else None

    def reached(self, state: State) -> bool:
        """Whether it was in `state` at some time."""
        return any(name == state.value for name, _ in self.states)

    def at(self, state: State, now: float) -> Record:
        """The same run with `state` reached at `now` (seconds since 1970)."""
        return replace(self, state=state, states=(*self.states, (state.value, now)))


def read_record(data: Mapping[str, Any] | bytes) -> Record:
    """A record from the form of `asdict`, or from its JSON; anything else in it is ignored.

    Raises `ValueError` if it is invalid.
    """
    try:
        text = data if isinstance(data, bytes) else json.dumps(data)
        found = json.loads(text)
        if missing := sorted({"states", "steps"} - found.keys()):
            raise ValueError(f"it has no {missing[0]}")
        try:
            return _adapter().validate_json(text)
        except ValueError:  # most records have nothing that `plain_json` would change
            return _adapter().validate_json(plain_json(text))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no record: {error}") from None


def plain_json(data: bytes | str) -> bytes:
    """JSON that pydantic accepts: Python's own reader takes lone surrogates, which programs write into metrics.

    Raises `ValueError` if it is not JSON, and `RecursionError` if it is nested too deeply.
    """
    return json.dumps(json.loads(data), ensure_ascii=False).encode("utf-8", "replace")


@cache
def _adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)

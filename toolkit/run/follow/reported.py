"""A run's outcome as a bucket or an agent reports it: validated, bounded, and only the outcome.

What a run is (its manifest, cluster, image, hosts, bucket) is read only from the operator's own record: otherwise,
whoever can write to the bucket could choose the files that are written here and the image that is run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from toolkit.agent.end_reasons import Reason
from toolkit.agent.metrics import Metric
from toolkit.agent.process_limit import MORE_PROCESSES
from toolkit.errors import Code
from toolkit.run.plan.training_id import CheckedId
from toolkit.run.records.record import BoundedStages, Moment, Record, State, StepResult, plain_json

MAX_BYTES = 16 << 20
"""Of a record in a bucket: 1,024 ranks and 100 commands, with each rank's status and times, take about 6 MiB."""
_MOST = 4096
"""States, commands, metrics or hosts in one record."""
_TEXT = 1 << 18
_COUNT = 1 << 62
_CODES = {"", *(code.label for code in Code)}
_ENDS = {"", *(reason.value for reason in Reason)}


def _metrics(found: object) -> object:
    """A program's metrics of its model; as everywhere, values that are neither numbers nor short text are dropped."""
    if not isinstance(found, dict):
        return found
    kept = [(name, value) for name, value in found.items() if _is_metric(value) and len(name) <= _MOST]
    return {name: int(value) if isinstance(value, bool) else value for name, value in kept[:_MOST]}


def _is_metric(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return (isinstance(value, str) and len(value) <= _MOST) or (isinstance(value, int) and abs(value) < _COUNT)


class Outcome(BaseModel):
    """The fields of a record that give a run's progress or outcome. Anything else in a report is ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False, defer_build=True)

    training_id: CheckedId
    state: State
    states: Annotated[tuple[tuple[State, Moment], ...], Field(max_length=_MOST)]
    steps: Annotated[tuple[StepResult, ...], Field(max_length=_MOST)]
    stored_files: Annotated[int, Field(ge=0, le=_COUNT)] = 0
    stored_bytes: Annotated[int, Field(ge=0, le=_COUNT)] = 0
    reason: Annotated[str, Field(max_length=_TEXT)] = ""
    error_code: str = ""
    end: str = ""
    evidence: Annotated[str, Field(max_length=_TEXT)] = ""
    hint: Annotated[str, Field(max_length=_TEXT)] = ""
    kept: Annotated[tuple[Annotated[str, Field(max_length=_MOST)], ...], Field(max_length=_MOST)] = ()
    metrics: Annotated[dict[str, Metric], BeforeValidator(_metrics)] = Field(default_factory=dict)
    checksums: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    host_stages: Annotated[tuple[BoundedStages, ...], Field(max_length=_MOST)] = ()

    @field_validator("error_code", "end")
    @classmethod
    def _from_the_list(cls, text: str, info: Any) -> str:
        if text not in (_CODES if info.field_name == "error_code" else _ENDS):
            raise ValueError("not one of the list")
        return text

    @model_validator(mode="after")
    def _in_itself(self) -> Outcome:
        if not self.state.final:
            return self
        if not self.end or Reason(self.end).state != self.state.value:
            raise ValueError(f"state {self.state.value} and end {self.end!r} exclude each other")
        if self.state is State.COMPLETED and (self.error_code or not all(step.ok for step in self.steps)):
            raise ValueError("COMPLETED, but with an error or a failed command")
        return self

    def onto(self, record: Record) -> Record:
        """`record` with this outcome; what the run is does not change."""
        outcome = {name: getattr(self, name) for name in type(self).model_fields if name != "training_id"}
        states = tuple((state.value, at) for state, at in self.states)
        # A run with an agent's report has started.
        return replace(record, **outcome | {"states": states, "launcher": None})


@dataclass(frozen=True)
class Report:
    """What an agent reports while its run is active.

    `silent` are hosts it has not heard from; `waiting` is how many files are queued, uploading, and failed so far.
    """

    record: Record
    note: str = ""
    silent: tuple[str, ...] = ()
    waiting: tuple[int, int, int] | None = None


def read_outcome(data: bytes | str, record: Record) -> Outcome:
    """The outcome of `record`'s run from JSON. Raises `ValueError` if it is invalid, too large or another's."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES >> 20} MiB")
    try:
        found = Outcome.model_validate_json(plain_json(data))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"][:4])
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None
    if found.training_id != record.training_id:
        raise ValueError(f"it is from another run, {found.training_id}")
    return found


def read_report(data: Mapping[str, Any], record: Record) -> Report:
    """An agent's report of `record`'s run. Raises `ValueError` if it is invalid."""
    try:
        outcome = read_outcome(json.dumps(data), record)
    except (RecursionError, TypeError):
        raise ValueError("nested too deeply") from None
    silent, waiting = data.get("silent"), data.get("waiting")
    return Report(
        outcome.onto(record),
        str(data.get("note", ""))[:_MOST],
        tuple(str(host) for host in silent[:_MOST]) if isinstance(silent, list) else (),
        _waiting(waiting) if isinstance(waiting, Mapping) else None,
    )


def hint_of(record: Record) -> str:
    """The hint, determined here: whoever can write to a bucket must not tell the operator what to type."""
    if record.kept:
        return f"its results are still on {', '.join(record.kept)}; toolkit rescue {record.training_id}"
    if record.end == Reason.OUT_OF_MEMORY.value:
        return "raise the memory limit in the manifest, or use less memory"
    if record.end == Reason.OUT_OF_PROCESSES.value:
        return MORE_PROCESSES
    return f"full log: toolkit logs {record.training_id}" if record.state is State.FAILED else ""


def _waiting(found: Mapping[str, Any]) -> tuple[int, int, int] | None:
    counts = [found.get(name) for name in ("queued", "uploading", "errored")]
    if not all(type(count) is int and 0 <= count < _COUNT for count in counts):
        return None
    return counts[0], counts[1], counts[2]  # type: ignore[return-value]

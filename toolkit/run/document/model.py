"""The form of a run's public record: the models that validate it, from which its JSON Schema is generated.

Whoever can write to a bucket can write a `record.json`: everything in it is bounded, and nothing in it is believed
until it is compared with what it describes, or its signature is verified.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.agent import host_stages
from toolkit.lock.packages import LockedPackage, PackageKind
from toolkit.run.document.form import MAX_BYTES, SCHEMA
from toolkit.run.plan.training_id import CheckedId
from toolkit.run.records.record import Moment, State, plain_json

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_MOST, _LONGEST = 40_000, 1 << 18

Text = Annotated[str, Field(max_length=_LONGEST)]
Path = Annotated[str, Field(min_length=1, max_length=4096)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, lt=1 << 62)]
Texts = Annotated[tuple[Text, ...], Field(max_length=_MOST)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class Tool(_Part):
    """What launched the run."""

    version: Text


class Run(_Part):
    """What was asked. `compute` is the manifest's, such as `p100x2`; `on_cpu`: its ranks ran on the CPU;
    `resumed_from` is the run or folder that it continues; `reproduces` the run that it was to reproduce."""

    id: CheckedId
    name: Text
    cluster: Text
    compute: Text
    ranks: Count
    on_cpu: bool
    resumed_from: Text = ""
    reproduces: CheckedId | Literal[""] = ""


class CodeFile(_Part):
    """A submitted file: its path below the code folder, the SHA-256 of its bytes, whether it may be executed."""

    path: Path
    sha256: Sha256
    executable: bool


class Code(_Part):
    """The submitted code. `sha256` is over a line for each file: mode, SHA-256, name as JSON, sorted by name."""

    sha256: Sha256
    files: Annotated[tuple[CodeFile, ...], Field(max_length=_MOST)]


class Package(_Part):
    """A locked package of the image: a Debian package or a Python wheel, and the SHA-256 of its file."""

    kind: PackageKind
    name: Text
    version: Text
    sha256: Sha256

    @property
    def locked(self) -> LockedPackage:
        """As a value that is compared."""
        return LockedPackage(self.kind, self.name, self.version, self.sha256)


class Image(_Part):
    """The image: name and version, ID (digest of its configuration), SHA-256 of its lock and of its recipe.

    `recipe_sha256` is over all that it is built from, the lock included: its first 12 digits are the version. `inputs`
    is the SHA-256 of each of these, `packages` are those of its locks. They are empty for an image of which the launch
    did not know them, and `packages` in records of earlier versions.
    """

    reference: Text
    id: Text
    lock_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    recipe_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    inputs: Annotated[dict[Text, Sha256], Field(max_length=_MOST)] = Field(default_factory=dict)
    packages: Annotated[tuple[Package, ...], Field(max_length=_MOST)] = ()


class DataFile(_Part):
    """A file of the training data: its path, bytes, and the store's ETag (empty for a folder)."""

    path: Path
    bytes: Count
    etag: Text = ""


class Listing(_Part):
    """The training data as it was listed at the launch: `sha256` is over a line for each file (bytes, ETag or `-`, path
    as JSON), sorted by path. `entries` are the first 1,000."""

    sha256: Sha256
    files: Count
    bytes: Count
    entries: Annotated[tuple[DataFile, ...], Field(max_length=1000)] = ()


class Data(_Part):
    """The training data: where it is, and its listing, or why it could not be listed."""

    place: Text
    listing: Listing | None = None
    not_listed: Text = ""


class HostFacts(_Part):
    """What the launch knew of a host. Memory in bytes, 0 if unknown; `gpus` are their names."""

    kernel: Text = ""
    cpus: Count = 0
    memory: Count = 0
    engine: Text = ""
    driver: Text = ""
    gpus: Texts = ()
    rdma_adapters: Texts = ()


class Host(_Part):
    """A host of the run, learner 1's first; an empty name is the operator's own machine."""

    name: Text
    facts: HostFacts


class Learner(_Part):
    """A learner: its number from 1, its host's name, its ranks."""

    number: Count
    host: Text
    ranks: Annotated[tuple[Count, ...], Field(max_length=_MOST)]


class Command(_Part):
    """A command as it was planned: its number from 1, where it runs, and the command line that starts it."""

    number: Count
    command: Text
    ranks: Literal["all", "node", "one"]
    folder: Text
    argv: Texts


class Stage(_Part):
    """When the run entered a state, in seconds since 1970 (UTC)."""

    state: State
    at: Moment


class ClockOffset(_Part):
    """How many seconds a host's clock was ahead of the operator's, give or take `error`: it was read once during an
    exchange that took twice as long."""

    ahead: float
    error: Annotated[float, Field(ge=0)]


class HostStage(_Part):
    """A stage of a host, from `start` to `end` in seconds since 1970 (UTC), both by the same clock."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    start: Moment
    end: Moment
    note: Annotated[str, Field(max_length=255)] = ""


Stages = Annotated[tuple[HostStage, ...], Field(max_length=64)]


class HostStages(_Part):
    """When a host went through which stage.

    `operator_clock` are the stages before the start signal, timed by the operator's clock; stages may overlap.
    `host_clock` are those after it, timed by the host's own. `offset` is null if the clocks were not compared.
    """

    host: Text
    offset: ClockOffset | None = None
    operator_clock: Stages
    host_clock: Stages

    def value(self) -> host_stages.HostStages:
        """The same as the run's own record has it."""
        operator, own = (
            tuple(host_stages.HostStage(one.name, one.start, one.end, one.note) for one in stages)
            for stages in (self.operator_clock, self.host_clock)
        )
        offset = host_stages.ClockOffset(self.offset.ahead, self.offset.error) if self.offset else None
        return host_stages.HostStages(self.host, operator, own, offset)


class Step(_Part):
    """A command as it ran. `argv` and `folder` are as learner 1's supervisor reported them; `ranks` are the exit
    statuses of its processes in order (null: none was left), `times` their start and end."""

    number: Count
    exit_status: int | None
    seconds: float
    started: Moment | None = None
    ended: Moment | None = None
    attempts: Count = 1
    folder: Text = ""
    argv: Texts = ()
    ranks: Annotated[tuple[int | None, ...], Field(max_length=_MOST)] = ()
    times: Annotated[tuple[tuple[Moment, Moment] | None, ...], Field(max_length=_MOST)] = ()


class End(_Part):
    """How it ended: the state, the reason (docs/runs.md lists them), a sentence, the evidence. `kept` are hosts with
    results that are not in the bucket."""

    state: State
    reason: Text
    what: Text
    error_code: Text = ""
    evidence: Text = ""
    kept: Texts = ()


class Result(_Part):
    """A file that the run's programs wrote, or a log: its path below the run's folder, and its SHA-256."""

    path: Path
    sha256: Sha256


class Results(_Part):
    """What is in the run's folder.

    `list_sha256` is the SHA-256 of `_run/SHA256SUMS`, which lists everything; empty if there is no list. `files` are
    its first 20,000, `omitted` is how many more there are. `disputed` were written differently by two hosts and have no
    checksum. `checkpoints` are in `_wml_checkpoints`, which other runs write to as well.
    """

    stored_files: Count
    stored_bytes: Count
    list_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    files: Annotated[tuple[Result, ...], Field(max_length=_MOST)]
    omitted: Count = 0
    disputed: Texts = ()
    checkpoints: Annotated[tuple[Result, ...], Field(max_length=_MOST)] = ()


class Launched(_Part):
    """What the launch knows of a run: what was asked, and what it runs on."""

    form: Literal["urn:toolkit:run-record:1", "urn:toolkit:run-record:2"] = Field(alias="schema")
    tool: Tool
    run: Run
    manifest: Annotated[dict[str, Any], Field(max_length=_MOST)]
    code: Code
    image: Image
    data: Data
    hosts: Annotated[tuple[Host, ...], Field(max_length=_MOST)]
    learners: Annotated[tuple[Learner, ...], Field(max_length=_MOST)]
    commands: Annotated[tuple[Command, ...], Field(max_length=_MOST)]


class RunDocument(Launched):
    """A run of toolkit: what was asked, what ran on what, how it ended, what it left. `manifest` is the canonical form,
    with references in the place of keys. `host_stages` is not in form 1."""

    stages: Annotated[tuple[Stage, ...], Field(max_length=_MOST)]
    host_stages: Annotated[tuple[HostStages, ...], Field(max_length=_MOST)] = ()
    steps: Annotated[tuple[Step, ...], Field(max_length=_MOST)]
    end: End
    metrics: Annotated[dict[Text, int | float | Text], Field(max_length=_MOST)]
    results: Results


def read_document(data: bytes) -> RunDocument:
    """A record from its bytes. Raises `ValueError` that names each part that is not of this form, up to twenty."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES >> 20} MiB")
    try:
        return RunDocument.model_validate_json(plain_json(data))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        named = (f"{'.'.join(str(part) for part in one['loc'][:6])}: {one['msg']}" for one in found[:20])
        raise ValueError("\n".join(named)) from None


def read_launched(values: Mapping[str, Any]) -> Launched:
    """The part that `toolkit.run.document.launched` keeps. Raises `ValueError` if it is not of this form."""
    return Launched.model_validate_json(json.dumps(values))


def document_schema() -> dict[str, Any]:
    """The JSON Schema of a record."""
    schema = RunDocument.model_json_schema(by_alias=True)
    return {"$schema": _DRAFT, "$id": SCHEMA, **schema, "title": "A run of toolkit"}


def schema_text() -> str:
    """The schema as the file beside this module has it."""
    return json.dumps(document_schema(), indent=1) + "\n"

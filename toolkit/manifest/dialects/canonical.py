"""The canonical form: Watson ML's names and nesting, with everything said outright, and what the tool adds.

`toolkit manifest convert` writes it. The other dialects' readers share its sections where they have the same.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, Tag

from toolkit.catalogue.model import Framework
from toolkit.manifest.bucket_names import refused
from toolkit.manifest.commands import MAX_STEPS, read_commands
from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.fields import (
    Absolute,
    Bucket,
    Choice,
    ComputeName,
    Cpus,
    Duration,
    Environment,
    Key,
    Label,
    Mca,
    Name,
    Nodes,
    Package,
    PairReference,
    Prose,
    Region,
    Relative,
    Retries,
    Section,
    Server,
    Size,
    StepCommand,
    Url,
    Version,
    by_shape,
)
from toolkit.manifest.model import (
    BucketReference,
    Compute,
    Connection,
    DataReference,
    FolderReference,
    Manifest,
    NfsReference,
    Ranks,
    ResultsReference,
    Step,
)
from toolkit.manifest.names import sounds_secret
from toolkit.manifest.units import bytes_of, seconds_of
from toolkit.secrets import parse_secret
from toolkit.yaml.source import Path_

DEFINITION: Path_ = ("model_definition",)
_TYPES = ("s3", "path", "nfs")


class Author(Section):
    name: Label
    email: Label | None = ""


class Runtime(Section):
    name: Annotated[str, Choice("runtime", ("python",))]
    version: Version


class FrameworkSection(Section):
    name: Name
    version: Version
    runtimes: Runtime
    compat: Label = ""

    def to_framework(self) -> Framework:
        return Framework(self.name, self.version, self.runtimes.version, self.compat)


class ComputeConfiguration(Section):
    """`memory` and `cpus` bound each node's container; without them it may use what its host has."""

    name: ComputeName
    nodes: Nodes = 1
    memory: Size = ""
    cpus: Cpus | None = None

    def to_compute(self) -> Compute:
        return Compute(self.name, self.nodes, bytes_of(self.memory) if self.memory else 0, self.cpus or 0)


class StepSection(Section):
    command: StepCommand
    ranks: Annotated[Ranks, Choice("choice of ranks", get_args(Ranks))]
    folder: Relative = ""
    timeout: Duration = ""
    environment: Environment = Field(default_factory=dict)
    mca: Mca = Field(default_factory=dict)

    def to_step(self, diagnostics: Diagnostics, path: Path_) -> Step:
        if self.mca and self.ranks != "all":
            diagnostics.refuse((*path, "mca"), f"a command with `ranks: {self.ranks}` runs without Open MPI")
        warn_of_secrets(self.environment, diagnostics, (*path, "environment"))
        self._refuse_launcher(diagnostics, (*path, "command"))
        return Step(
            command=self.command,
            ranks=self.ranks,
            folder=self.folder.rstrip("/"),
            timeout=seconds_of(self.timeout) if self.timeout else 0,
            environment=tuple(self.environment.items()),
            mca=tuple(self.mca.items()),
        )

    def _refuse_launcher(self, diagnostics: Diagnostics, path: Path_) -> None:
        """A step says outright what a launcher's options say in the other dialects. What runs once on each node may
        start ranks of its own."""
        if self.ranks == "node":
            return
        try:
            commands = read_commands(self.command)
        except ValueError as error:
            diagnostics.refuse(path, str(error))
            return
        if any(command.front for command in commands):
            plain = "; ".join(command.text for command in commands)
            diagnostics.refuse(
                path,
                f"the tool starts the ranks by itself: write `{plain[:60]}`, and give `ranks`, `environment` and `mca` "
                "beside it",
            )


class Execution(Section):
    """What every shape of it has; `time_limit` is for all commands together, `retries` for each."""

    compute_configuration: ComputeConfiguration
    environment: Environment = Field(default_factory=dict)
    time_limit: Duration = ""
    retries: Retries = 0
    resume: Relative = ""


class ExecutionOfSteps(Execution):
    steps: Annotated[list[StepSection], Field(min_length=1, max_length=MAX_STEPS)]

    def to_steps(self, diagnostics: Diagnostics, path: Path_) -> tuple[Step, ...]:
        return tuple(step.to_step(diagnostics, (*path, "steps", index)) for index, step in enumerate(self.steps))


class ModelDefinition(Section):
    name: Name
    author: Author | None = None
    description: Prose = ""
    framework: FrameworkSection
    packages: list[Package] = Field(default_factory=list)
    execution: ExecutionOfSteps


class StoreSection(Section):
    """What a connection may say of its store, whatever its other fields are called."""

    region: Region | None = None
    sse_customer_key: Key | None = None

    def connection_with(self, endpoint_url: str, access_key_id: str, secret_access_key: str) -> Connection:
        customer_key = parse_secret(self.sse_customer_key) if self.sse_customer_key else None
        keys = parse_secret(access_key_id), parse_secret(secret_access_key)
        return Connection(endpoint_url, *keys, self.region or "", customer_key)


class KeysConnection(StoreSection):
    endpoint_url: Url
    access_key_id: Key
    secret_access_key: Key

    def to_connection(self) -> Connection:
        return self.connection_with(self.endpoint_url, self.access_key_id, self.secret_access_key)


class PairConnection(StoreSection):
    """Both keys from one place: a profile, or the standard chain."""

    endpoint_url: Url
    credentials: PairReference

    def to_connection(self) -> Connection:
        return self.connection_with(self.endpoint_url, self.credentials, self.credentials)


def _connection_shape(value: Any) -> str:
    return "pair" if isinstance(value, dict) and "credentials" in value else "keys"


AnyConnection = Annotated[
    Annotated[KeysConnection, Tag("~keys")] | Annotated[PairConnection, Tag("~pair")], by_shape(_connection_shape)
]


class BucketSection(Section):
    bucket: Bucket
    prefix: Relative = ""


class FolderSection(Section):
    path: Absolute


class ExportSection(Section):
    server: Server
    path: Absolute


class BucketData(Section):
    name: Label = ""
    connection: AnyConnection
    source: BucketSection
    access: Annotated[str, Choice("way of access", ("mount", "copy"))] = "mount"
    type: Annotated[str, Choice("type", _TYPES, ("s3",))]

    def to_reference(self) -> DataReference:
        return BucketReference(
            name=self.name,
            connection=self.connection.to_connection(),
            bucket=self.source.bucket,
            prefix=self.source.prefix.rstrip("/"),
            copied=self.access == "copy",
        )


class FolderData(Section):
    name: Label = ""
    source: FolderSection
    type: Literal["path"]

    def to_reference(self) -> DataReference:
        return FolderReference(self.name, self.source.path.rstrip("/"))


class ExportData(Section):
    name: Label = ""
    source: ExportSection
    type: Literal["nfs"]

    def to_reference(self) -> DataReference:
        return NfsReference(self.name, self.source.server, self.source.path.rstrip("/"))


def reference_shape(value: Any) -> str:
    """By its `type`; whatever is none is told as a bucket's."""
    named = value.get("type") if isinstance(value, dict) else None
    return named if isinstance(named, str) and named in _TYPES else "s3"


AnyData = Annotated[
    Annotated[BucketData, Tag("~s3")] | Annotated[FolderData, Tag("~path")] | Annotated[ExportData, Tag("~nfs")],
    by_shape(reference_shape),
]


class Results(Section):
    """`collect` names what is brought home besides `model/`."""

    name: Label = ""
    collect: list[Relative] = Field(default_factory=list)


class BucketResults(Results):
    connection: AnyConnection
    target: BucketSection
    type: Annotated[str, Choice("type", _TYPES, ("s3",))]

    def to_reference(self) -> ResultsReference:
        return BucketReference(
            self.name, self.connection.to_connection(), self.target.bucket, self.target.prefix.rstrip("/")
        )


class FolderResults(Results):
    target: FolderSection
    type: Literal["path"]

    def to_reference(self) -> ResultsReference:
        return FolderReference(self.name, self.target.path.rstrip("/"))


class ExportResults(Results):
    target: ExportSection
    type: Literal["nfs"]

    def to_reference(self) -> ResultsReference:
        return NfsReference(self.name, self.target.server, self.target.path.rstrip("/"))


AnyResults = Annotated[
    Annotated[BucketResults, Tag("~s3")]
    | Annotated[FolderResults, Tag("~path")]
    | Annotated[ExportResults, Tag("~nfs")],
    by_shape(reference_shape),
]


class CanonicalManifest(Section):
    """The whole file."""

    model_definition: ModelDefinition
    training_data_reference: AnyData
    training_results_reference: AnyResults

    def to_manifest(self, diagnostics: Diagnostics) -> Manifest:
        """The canonical value."""
        data, results = self.training_data_reference, self.training_results_reference
        refuse_bucket(data.to_reference(), diagnostics, ("training_data_reference", "source", "bucket"))
        refuse_bucket(results.to_reference(), diagnostics, ("training_results_reference", "target", "bucket"))
        return Manifest(
            **self._definition(diagnostics),
            training_data=data.to_reference(),
            training_results=results.to_reference(),
            collect=tuple(path.rstrip("/") for path in results.collect),
        )

    def _definition(self, diagnostics: Diagnostics) -> dict[str, Any]:
        definition = self.model_definition
        steps = definition.execution.to_steps(diagnostics, (*DEFINITION, "execution"))
        return whole_definition(definition, definition.framework.to_framework(), steps, diagnostics)


def whole_definition(
    definition: Any, framework: Framework, steps: tuple[Step, ...], diagnostics: Diagnostics
) -> dict[str, Any]:
    """The fields of a `Manifest` that a `model_definition` of this form says; its author may be a text."""
    execution, author = definition.execution, definition.author
    author = Author(name=author) if isinstance(author, str) else author
    path = (*DEFINITION, "execution")
    warn_of_secrets(execution.environment, diagnostics, (*path, "environment"))
    return {
        "name": definition.name,
        "author": author.name if author else "",
        "email": (author.email or "") if author else "",
        "description": definition.description,
        "framework": framework,
        "packages": tuple(definition.packages),
        "steps": steps,
        "compute": execution.compute_configuration.to_compute(),
        "environment": tuple(execution.environment.items()),
        "time_limit": seconds_of(execution.time_limit) if execution.time_limit else 0,
        "retries": execution.retries,
        "resume": execution.resume.rstrip("/"),
    }


def refuse_bucket(reference: DataReference, diagnostics: Diagnostics, path: Path_) -> None:
    """A bucket whose store has none of that name; `path` leads to where the file says it."""
    if why := refused(reference):
        diagnostics.refuse(path, why)


def warn_of_secrets(environment: dict[str, str], diagnostics: Diagnostics, path: Path_) -> None:
    """A variable is no place for a secret: whoever may ask the engine sees it."""
    for name in filter(sounds_secret, environment):
        what = f"{name} sounds like a secret, and `docker inspect`, the plan and `--dry-run` show every variable"
        diagnostics.warn((*path, name), what, at_key=True)

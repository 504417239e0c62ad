"""Watson ML's dialect of 2018, in all spellings of its documents; it also accepts what the canonical form adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, Tag

from toolkit.catalogue.choose import canonical
from toolkit.catalogue.model import Framework
from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.dialect import Dialect, ManifestFile
from toolkit.manifest.dialects.canonical import (
    DEFINITION,
    FRAMEWORK,
    Author,
    ComputeConfiguration,
    Execution,
    ExecutionOfSteps,
    Runtime,
    extractor_of,
    whole_definition,
)
from toolkit.manifest.dialects.sizes import SIZES, compute_of, warn_of_size
from toolkit.manifest.dialects.steps import steps_of, with_continued_lines
from toolkit.manifest.dialects.stores import (
    BucketData,
    BucketResults,
    BucketSection,
    ExportData,
    ExportResults,
    FolderData,
    FolderResults,
    KeysConnection,
    PairConnection,
    StoreSection,
    allowed,
    reference_shape,
)
from toolkit.manifest.fields import (
    Bucket,
    Choice,
    Label,
    Name,
    OneOf,
    Package,
    Prose,
    Relative,
    Url,
    Version,
    by_shape,
    commands_in,
    only,
)
from toolkit.manifest.key_fields import Key
from toolkit.manifest.model import BucketReference, Compute, Connection, Manifest, Ranks
from toolkit.manifest.units import bytes_of
from toolkit.yaml.source import Path_
from toolkit.yaml.validate import Section

_ANY_PYTHON_3 = "3"
WatsonCommands = Annotated[str, commands_in(with_continued_lines)]
ALONE: Ranks = "all"
"""A single process is rank 0 under mpirun: people moved scripts between frameworks with and without DDL, and those
check OMPI_COMM_WORLD_RANK before they write a model. To any other script it makes no difference."""

AuthorInWords = Annotated[
    Annotated[Author, Tag("~fields")] | Annotated[Label, Tag("~text")],
    by_shape(lambda value: "text" if isinstance(value, str) else "fields"),
]


class WatsonRuntime(Runtime):
    version: Version = _ANY_PYTHON_3


class WatsonFramework(Section):
    """`tensorflow-ddl` `1.5`, or `tensorflow` `1.5-py3-ddl`; Python 3 without `runtimes`."""

    name: Name
    version: Version
    runtimes: OneOf[WatsonRuntime] | None = None
    compat: Label = ""

    def to_framework(self, diagnostics: Diagnostics) -> Framework:
        runtime = self.runtimes[0] if isinstance(self.runtimes, list) else self.runtimes
        framework = spelled_out(self.name, self.version, runtime.version if runtime else "", diagnostics)
        return replace(framework, compat=self.compat)


def spelled_out(name: str, version: str, python: str, diagnostics: Diagnostics, path: Path_ = FRAMEWORK) -> Framework:
    """Both spellings as one; refuses a version that names another Python than `runtimes`."""
    said = canonical(Framework(name, version, ""))
    inside = said.python if said.python != _ANY_PYTHON_3 or "-py" in version else ""
    if python and inside and not (f"{python}.".startswith(f"{inside}.") or f"{inside}.".startswith(f"{python}.")):
        diagnostics.refuse((*path, "version"), f"`{version}` says Python {inside}, and runtimes says {python}")
    longest = max(python, inside, key=len)
    return Framework(said.name, said.version, longest or _ANY_PYTHON_3)


class SizeConfiguration(ComputeConfiguration):
    """A machine by size, as a few documents of 2018 still had it."""

    name: Annotated[str, Choice("size", tuple(SIZES))]

    def to_compute(self) -> Compute:
        memory = bytes_of(self.memory) if self.memory else 0
        return compute_of(self.name, self.nodes, memory, self.cpus or 0)


AnyCompute = Annotated[
    Annotated[ComputeConfiguration, Tag("~kind")] | Annotated[SizeConfiguration, Tag("~size")],
    by_shape(lambda value: "size" if isinstance(value, dict) and value.get("name") in (*SIZES,) else "kind"),
]


class ExecutionOfCommand(Execution):
    command: WatsonCommands
    compute_configuration: AnyCompute


class WatsonExecutionOfSteps(ExecutionOfSteps):
    compute_configuration: AnyCompute


AnyExecution = Annotated[
    Annotated[ExecutionOfCommand, Tag("~command")] | Annotated[WatsonExecutionOfSteps, Tag("~steps")],
    by_shape(lambda value: "steps" if isinstance(value, dict) and "steps" in value else "command"),
]


class WatsonDefinition(Section):
    name: Name
    author: AuthorInWords | None = None
    description: Prose = ""
    framework: WatsonFramework
    packages: list[Package] = Field(default_factory=list)
    execution: AnyExecution


def definition_of(definition: WatsonDefinition, diagnostics: Diagnostics) -> dict[str, Any]:
    """The fields of a `Manifest` that it sets."""
    execution, path = definition.execution, (*DEFINITION, "execution")
    configuration, framework = execution.compute_configuration, definition.framework.to_framework(diagnostics)
    compute = configuration.to_compute()
    if isinstance(configuration, SizeConfiguration):
        warn_of_size(configuration.name, compute, diagnostics, (*path, "compute_configuration", "name"))
    if isinstance(execution, ExecutionOfCommand):
        command = with_continued_lines(execution.command)
        steps = steps_of(command, framework, compute, diagnostics, (*path, "command"), ALONE)
    else:
        steps = execution.to_steps(diagnostics, path)
    return whole_definition(definition, framework, steps, diagnostics)


class AwsConnection(StoreSection):
    """The names that Amazon's own tools use for the keys."""

    endpoint_url: Url
    aws_access_key_id: Key
    aws_secret_access_key: Key

    def to_connection(self) -> Connection:
        return self.connection_with(self.endpoint_url, self.aws_access_key_id, self.aws_secret_access_key)


def connection_shape(value: Any) -> str:
    """Which names a connection uses for its keys."""
    names = value if isinstance(value, dict) else {}
    if "credentials" in names:
        return "pair"
    return "aws" if "aws_access_key_id" in names or "aws_secret_access_key" in names else "keys"


WatsonConnection = Annotated[
    Annotated[KeysConnection, Tag("~keys")]
    | Annotated[AwsConnection, Tag("~aws")]
    | Annotated[PairConnection, Tag("~pair")],
    by_shape(connection_shape),
]


class TypedBucketSection(BucketSection):
    """A bucket with its type beside it, not one level above."""

    type: Annotated[str, Choice("type", ("s3",))]


class WatsonData(BucketData):
    connection: WatsonConnection  # type: ignore[assignment] # one shape more than the canonical form has


class TypedWatsonData(WatsonData):
    source: TypedBucketSection
    type: Annotated[str, Choice("type", ("s3",))] = "s3"


class Location(Section):
    bucket: Bucket
    path: Relative = ""


class LocatedReference(Section):
    """A bucket and a path in it, as in API 4; clients of 2019 also used this in the form of 2018."""

    id: Label = ""
    name: Label = ""
    connection: WatsonConnection
    location: Location
    type: Annotated[str, Choice("type", ("s3",))]

    def to_reference(self) -> BucketReference:
        connection, location = self.connection.to_connection(), self.location
        return BucketReference(self.name or self.id, connection, location.bucket, location.path.rstrip("/"))


def _watson_shape(below: str) -> Callable[[Any], str]:
    """The shape of a reference with its bucket below the name `below`, or below `location`."""

    def shape(value: Any) -> str:
        place = value.get(below) if isinstance(value, dict) else None
        if isinstance(value, dict) and "location" in value and below not in value:
            return "located"
        return "typed" if isinstance(place, dict) and "type" in place else reference_shape(value)

    return shape


AnyWatsonData = Annotated[
    Annotated[WatsonData, Tag("~s3")]
    | Annotated[TypedWatsonData, Tag("~typed")]
    | Annotated[LocatedReference, Tag("~located")]
    | Annotated[FolderData, Tag("~path")]
    | Annotated[ExportData, Tag("~nfs")],
    by_shape(_watson_shape("source")),
]


class WatsonResults(BucketResults):
    connection: WatsonConnection  # type: ignore[assignment] # likewise


class TypedWatsonResults(WatsonResults):
    target: TypedBucketSection
    type: Annotated[str, Choice("type", ("s3",))] = "s3"


AnyWatsonResults = Annotated[
    Annotated[WatsonResults, Tag("~s3")]
    | Annotated[TypedWatsonResults, Tag("~typed")]
    | Annotated[LocatedReference, Tag("~located")]
    | Annotated[FolderResults, Tag("~path")]
    | Annotated[ExportResults, Tag("~nfs")],
    by_shape(_watson_shape("target")),
]


class WmlManifest(ManifestFile):
    """The whole file."""

    model_definition: WatsonDefinition
    training_data_reference: OneOf[AnyWatsonData]
    training_results_reference: OneOf[AnyWatsonResults]
    evaluation_metrics: dict[str, Any] = Field(default_factory=dict)

    def to_manifest(self, diagnostics: Diagnostics) -> Manifest:
        """The canonical value."""
        data: WatsonData | LocatedReference | FolderData | ExportData
        results: WatsonResults | LocatedReference | FolderResults | ExportResults
        data, data_path = only(self.training_data_reference, ("training_data_reference",))
        results, results_path = only(self.training_results_reference, ("training_results_reference",))
        data_place = "location" if isinstance(data, LocatedReference) else "source"
        results_place, collect, write = (
            ("location", [], "mount")
            if isinstance(results, LocatedReference)
            else ("target", results.collect, results.write)
        )
        return Manifest(
            training_data=allowed(data.to_reference(), diagnostics, (*data_path, data_place, "bucket")),
            training_results=allowed(results.to_reference(), diagnostics, (*results_path, results_place, "bucket")),
            **definition_of(self.model_definition, diagnostics),
            collect=tuple(path.rstrip("/") for path in collect),
            metrics=extractor_of(self.evaluation_metrics, diagnostics),
            write_local=write == "local",
        )


DIALECT = Dialect(
    name="wml",
    title="Watson ML",
    model=WmlManifest,
    matches=lambda _: True,
    framework=FRAMEWORK,
    framework_model=WatsonFramework,
    signs=("model_definition",),
    references=("training_data_reference", "training_results_reference"),
)

"""Watson ML's dialect of 2018, in the spellings that its documents had; it takes what the canonical form adds, too."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, Tag

from toolkit.catalogue.choose import canonical
from toolkit.manifest.dialects.canonical import (
    DEFINITION,
    Author,
    BucketData,
    BucketResults,
    Execution,
    ExecutionOfSteps,
    ExportData,
    ExportResults,
    FolderData,
    FolderResults,
    KeysConnection,
    PairConnection,
    Runtime,
    StoreSection,
    reference_shape,
    whole_definition,
)
from toolkit.manifest.dialects.steps import steps_of
from toolkit.manifest.fields import Commands, Key, Name, Package, Prose, Section, Url, Version, by_shape
from toolkit.manifest.model import Connection, Framework, Manifest, Step
from toolkit.manifest.told import Told
from toolkit.yaml_source import Path_

_ANY_PYTHON_3 = "3"
_FRAMEWORK: Path_ = (*DEFINITION, "framework")

AuthorInWords = Annotated[
    Annotated[Author, Tag("~fields")] | Annotated[Name, Tag("~text")],
    by_shape(lambda value: "text" if isinstance(value, str) else "fields"),
]


class WatsonRuntime(Runtime):
    version: Version = _ANY_PYTHON_3


Runtimes = Annotated[
    Annotated[WatsonRuntime, Tag("~one")]
    | Annotated[Annotated[list[WatsonRuntime], Field(min_length=1, max_length=1)], Tag("~list")],
    by_shape(lambda value: "list" if isinstance(value, list) else "one"),
]


class WatsonFramework(Section):
    """`tensorflow-ddl` `1.5`, or `tensorflow` `1.5-py3-ddl`; without `runtimes` it is Python 3."""

    name: Name
    version: Version
    runtimes: Runtimes | None = None
    compat: Name = ""

    def to_framework(self, told: Told) -> Framework:
        runtime = self.runtimes[0] if isinstance(self.runtimes, list) else self.runtimes
        framework = spelled_out(self.name, self.version, runtime.version if runtime else "", told)
        return replace(framework, compat=self.compat)


def spelled_out(name: str, version: str, python: str, told: Told, path: Path_ = _FRAMEWORK) -> Framework:
    """Both spellings as one; refuses a version that says another Python than `runtimes`."""
    said = canonical(Framework(name, version, ""))
    inside = said.python if said.python != _ANY_PYTHON_3 or "-py" in version else ""
    if python and inside and not (f"{python}.".startswith(f"{inside}.") or f"{inside}.".startswith(f"{python}.")):
        told.refuse((*path, "version"), f"`{version}` says Python {inside}, and runtimes says {python}")
    longest = max(python, inside, key=len)
    return Framework(said.name, said.version, longest or _ANY_PYTHON_3)


class ExecutionOfCommand(Execution):
    command: Commands

    def to_steps(self, told: Told, path: Path_) -> tuple[Step, ...]:
        return steps_of(self.command, self.compute_configuration.to_compute(), told, (*path, "command"))


AnyExecution = Annotated[
    Annotated[ExecutionOfCommand, Tag("~command")] | Annotated[ExecutionOfSteps, Tag("~steps")],
    by_shape(lambda value: "steps" if isinstance(value, dict) and "steps" in value else "command"),
]


class WatsonDefinition(Section):
    name: Name
    author: AuthorInWords | None = None
    description: Prose = ""
    framework: WatsonFramework
    packages: list[Package] = Field(default_factory=list)
    execution: AnyExecution


class AwsConnection(StoreSection):
    """The names that Amazon's own tools have for the keys."""

    endpoint_url: Url
    aws_access_key_id: Key
    aws_secret_access_key: Key

    def to_connection(self) -> Connection:
        return self.connection_with(self.endpoint_url, self.aws_access_key_id, self.aws_secret_access_key)


def _connection_shape(value: Any) -> str:
    names = value if isinstance(value, dict) else {}
    if "credentials" in names:
        return "pair"
    return "aws" if "aws_access_key_id" in names or "aws_secret_access_key" in names else "keys"


WatsonConnection = Annotated[
    Annotated[KeysConnection, Tag("~keys")]
    | Annotated[AwsConnection, Tag("~aws")]
    | Annotated[PairConnection, Tag("~pair")],
    by_shape(_connection_shape),
]


class WatsonData(BucketData):
    connection: WatsonConnection  # type: ignore[assignment] # one shape more than the canonical form has


AnyWatsonData = Annotated[
    Annotated[WatsonData, Tag("~s3")] | Annotated[FolderData, Tag("~path")] | Annotated[ExportData, Tag("~nfs")],
    by_shape(reference_shape),
]


class WatsonResults(BucketResults):
    connection: WatsonConnection  # type: ignore[assignment] # likewise


AnyWatsonResults = Annotated[
    Annotated[WatsonResults, Tag("~s3")]
    | Annotated[FolderResults, Tag("~path")]
    | Annotated[ExportResults, Tag("~nfs")],
    by_shape(reference_shape),
]


class WmlManifest(Section):
    """The whole file."""

    model_definition: WatsonDefinition
    training_data_reference: AnyWatsonData
    training_results_reference: AnyWatsonResults

    def to_manifest(self, told: Told) -> Manifest:
        """The canonical value."""
        results = self.training_results_reference
        return Manifest(
            **whole_definition(self.model_definition, told),
            training_data=self.training_data_reference.to_reference(),
            training_results=results.to_reference(),
            collect=tuple(path.rstrip("/") for path in results.collect),
        )

"""Watson ML's dialect of 2017: machines by size; object storage with users and containers, later S3."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, Tag

from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.dialect import Dialect, ManifestFile, names_at_top
from toolkit.manifest.dialects.canonical import DEFINITION, FRAMEWORK, description_of
from toolkit.manifest.dialects.sizes import SIZES, compute_of, warn_of_size
from toolkit.manifest.dialects.steps import steps_of, with_continued_lines
from toolkit.manifest.dialects.stores import KeysConnection, PairConnection, StoreSection, allowed
from toolkit.manifest.dialects.wml import (
    ALONE,
    AuthorInWords,
    AwsConnection,
    WatsonCommands,
    WatsonFramework,
    connection_shape,
)
from toolkit.manifest.fields import Bucket, Choice, Label, Name, OneOf, Prose, Url, by_shape, only
from toolkit.manifest.key_fields import Key
from toolkit.manifest.model import BucketReference, Compute, Connection, Manifest
from toolkit.yaml.source import Path_
from toolkit.yaml.validate import Section

_S3 = "s3"
_REFERENCES = ("training_data", "training_results")
_Size = Annotated[str, Choice("size", tuple(SIZES))]


class ExecutionOfSize(Section):
    command: WatsonCommands
    resource_type: Annotated[_Size, Field(alias="resourceType")]

    def to_compute(self, diagnostics: Diagnostics, path: Path_) -> Compute:
        name = next(field.alias or "" for field in type(self).model_fields.values() if field.alias)
        compute = compute_of(self.resource_type)
        warn_of_size(self.resource_type, compute, diagnostics, (*path, name))
        return compute


class ExecutionOfResource(ExecutionOfSize):
    """`resourceType` under the name `resource`, as in the documents of November 2017."""

    resource_type: Annotated[_Size, Field(alias="resource")]


AnySizeExecution = Annotated[
    Annotated[ExecutionOfSize, Tag("~resourceType")] | Annotated[ExecutionOfResource, Tag("~resource")],
    by_shape(lambda value: "resource" if isinstance(value, dict) and "resource" in value else "resourceType"),
]


class Definition2017(Section):
    name: Name
    author: AuthorInWords | None = None
    description: Prose = ""
    framework: WatsonFramework
    execution: AnySizeExecution


class UserConnection(StoreSection):
    """The names of object storage: `userId` is the access key, `password` the secret key."""

    auth_url: Url
    user_id: Annotated[Key, Field(alias="userId")]
    password: Key

    def to_connection(self) -> Connection:
        return self.connection_with(self.auth_url, self.user_id, self.password)


def _connection_shape(value: Any) -> str:
    s3 = isinstance(value, dict) and any("access_key" in str(name) for name in value)
    s3 = s3 or (isinstance(value, dict) and ("endpoint_url" in value or "credentials" in value))
    return connection_shape(value) if s3 else "user"


Connection2017 = Annotated[
    Annotated[UserConnection, Tag("~user")]
    | Annotated[KeysConnection, Tag("~keys")]
    | Annotated[AwsConnection, Tag("~aws")]
    | Annotated[PairConnection, Tag("~pair")],
    by_shape(_connection_shape),
]


class ContainerSection(Section):
    container: Bucket
    type: Label = _S3


class BucketSection2017(ContainerSection):
    container: Annotated[Bucket, Field(alias="bucket")]


Container = Annotated[
    Annotated[ContainerSection, Tag("~container")] | Annotated[BucketSection2017, Tag("~bucket")],
    by_shape(lambda value: "bucket" if isinstance(value, dict) and "bucket" in value else "container"),
]


class Reference2017(Section):
    name: Label = ""
    connection: Connection2017
    type: Label = _S3

    def reference_to(self, place: ContainerSection, diagnostics: Diagnostics, path: Path_) -> BucketReference:
        """The bucket at `path`; warns about stores that are not S3."""
        for said, where in ((self.type, path[:-1]), (place.type, path)):
            if said not in ("", _S3):
                what = f"`{said}` is read as S3, the one kind of store that is spoken to"
                diagnostics.warn((*where, "type"), what, "type: s3")
        reference = BucketReference(self.name, self.connection.to_connection(), place.container)
        name = "bucket" if isinstance(place, BucketSection2017) else "container"
        return allowed(reference, diagnostics, (*path, name))


class Data2017(Reference2017):
    source: Container


class Results2017(Reference2017):
    target: Container


class Wml2017Manifest(ManifestFile):
    """The whole file."""

    model_definition: Definition2017
    training_data: OneOf[Data2017]
    training_results: OneOf[Results2017]

    def to_manifest(self, diagnostics: Diagnostics) -> Manifest:
        """The canonical value."""
        definition, execution = self.model_definition, self.model_definition.execution
        path = (*DEFINITION, "execution")
        compute, framework = execution.to_compute(diagnostics, path), definition.framework.to_framework(diagnostics)
        data, data_path = only(self.training_data, ("training_data",))
        results, results_path = only(self.training_results, ("training_results",))
        command = with_continued_lines(execution.command)
        return Manifest(
            framework=framework,
            steps=steps_of(command, framework, compute, diagnostics, (*path, "command"), ALONE),
            compute=compute,
            training_data=data.reference_to(data.source, diagnostics, (*data_path, "source")),
            training_results=results.reference_to(results.target, diagnostics, (*results_path, "target")),
            **description_of(definition),
        )


DIALECT = Dialect(
    name="wml-2017",
    title="Watson ML of 2017",
    model=Wml2017Manifest,
    matches=lambda source: not names_at_top(source).isdisjoint(_REFERENCES),
    framework=FRAMEWORK,
    framework_model=WatsonFramework,
    signs=_REFERENCES,
    references=_REFERENCES,
)

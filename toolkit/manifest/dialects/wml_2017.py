"""Watson ML's dialect of 2017: object storage with users and containers, and machines by their size."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, Tag

from toolkit.manifest.compute import Configuration
from toolkit.manifest.dialects.canonical import DEFINITION, StoreSection
from toolkit.manifest.dialects.steps import steps_of
from toolkit.manifest.dialects.wml import AuthorInWords, WatsonFramework
from toolkit.manifest.fields import Bucket, Choice, Commands, Key, Name, Prose, Section, Url, by_shape
from toolkit.manifest.model import BucketReference, Compute, Connection, Manifest
from toolkit.manifest.told import Told
from toolkit.yaml_source import Path_

_SIZES = {"small": 1, "medium": 2, "large": 4}
_KIND = "k80"
_S3 = "s3"


class ExecutionOfSize(Section):
    command: Commands
    resource_type: Annotated[str, Choice("resourceType", tuple(_SIZES)), Field(alias="resourceType")]

    def to_compute(self, told: Told, path: Path_) -> Compute:
        gpus = _SIZES[self.resource_type]
        name = Configuration(_KIND, gpus).name
        told.warn(
            (*path, "resourceType"),
            f"`{self.resource_type}` is {gpus} GPUs of no named kind; read as {_KIND}",
            "compute_configuration:",
            f"  name: {name}",
            "  nodes: 1",
        )
        return Compute(name, 1)


class Definition2017(Section):
    name: Name
    author: AuthorInWords | None = None
    description: Prose = ""
    framework: WatsonFramework
    execution: ExecutionOfSize


class UserConnection(StoreSection):
    """Object storage's words: `userId` is the access key, `password` the secret one."""

    auth_url: Url
    user_id: Annotated[Key, Field(alias="userId")]
    password: Key

    def to_connection(self) -> Connection:
        return self.connection_with(self.auth_url, self.user_id, self.password)


class ContainerSection(Section):
    container: Bucket
    type: Name = _S3

    def warn_of_type(self, told: Told, path: Path_) -> None:
        if self.type != _S3:
            told.warn(
                (*path, "type"), f"`{self.type}` is read as S3, the one kind of store that is spoken to", "type: s3"
            )


class Data2017(Section):
    name: Name = ""
    connection: UserConnection
    source: ContainerSection


class Results2017(Section):
    name: Name = ""
    connection: UserConnection
    target: ContainerSection


OneData = Annotated[
    Annotated[Data2017, Tag("~one")]
    | Annotated[Annotated[list[Data2017], Field(min_length=1, max_length=1)], Tag("~list")],
    by_shape(lambda value: "list" if isinstance(value, list) else "one"),
]


class Wml2017Manifest(Section):
    """The whole file."""

    model_definition: Definition2017
    training_data: OneData
    training_results: Results2017

    def _data(self) -> tuple[Data2017, Path_]:
        """The one reference, and where it stands."""
        found = self.training_data
        return (found, ("training_data",)) if isinstance(found, Data2017) else (found[0], ("training_data", 0))

    def to_manifest(self, told: Told) -> Manifest:
        """The canonical value."""
        definition, results = self.model_definition, self.training_results
        author: Any = definition.author
        execution = (*DEFINITION, "execution")
        compute = definition.execution.to_compute(told, execution)
        data, where = self._data()
        data.source.warn_of_type(told, (*where, "source"))
        results.target.warn_of_type(told, ("training_results", "target"))
        return Manifest(
            name=definition.name,
            author=author if isinstance(author, str) else author.name if author else "",
            email=author.email if author and not isinstance(author, str) else "",
            description=definition.description,
            framework=definition.framework.to_framework(told),
            steps=steps_of(definition.execution.command, compute, told, (*execution, "command")),
            compute=compute,
            training_data=BucketReference(data.name, data.connection.to_connection(), data.source.container),
            training_results=BucketReference(
                results.name, results.connection.to_connection(), results.target.container
            ),
        )

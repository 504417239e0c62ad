"""The Watson ML dialect of a manifest, as IBM's end-to-end example writes it; strict.

The fields' names and nesting are WML's; what is not in them is refused. Each field says what it may hold.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from toolkit.manifest.commands import split_commands
from toolkit.manifest.model import COMPUTE, EMBEDDED, BucketReference, Compute, Connection, Framework, Manifest
from toolkit.secrets import parse_secret

_BUCKET = re.compile(r"(?!xn--)(?!.*(?:\.\.|\.-|-\.))(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_URL = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?/?")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,30}")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,100}")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
MAX_NODES = 1024
_FRAMEWORK = ("model_definition", "framework")
FRAMEWORK_PATHS = {
    "name": (*_FRAMEWORK, "name"),
    "version": (*_FRAMEWORK, "version"),
    "python": (*_FRAMEWORK, "runtimes", "version"),
    "compat": (*_FRAMEWORK, "compat"),
}
"""Where in the file the parts of the canonical `Framework` stand."""


def _invalid(message: str) -> PydanticCustomError:
    return PydanticCustomError("manifest", "{message}", {"message": message})


def _bucket(value: str) -> str:
    if not _BUCKET.fullmatch(value):
        raise _invalid(f"`{value}` is no bucket name: 3-63 small letters, digits, dots and dashes (Amazon's rule)")
    return value


def _url(value: str) -> str:
    if value != EMBEDDED and not _URL.fullmatch(value):  # what it is instead is not shown: a password may be in it
        raise _invalid(f"expected a URL such as https://s3.example.org or http://10.0.0.1:9000, or `{EMBEDDED}`")
    return value.rstrip("/")


def _version(value: str) -> str:
    if not _VERSION.fullmatch(value):
        raise _invalid(f"`{value}` is no version")
    return value


def _package(value: str) -> str:
    if not _PACKAGE.fullmatch(value):
        raise _invalid(f"`{value}` is no Debian package's name, such as graphviz")
    return value


def _one_line(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise _invalid("expected one line of text, 200 characters at most")
    return value


def _compute(value: str) -> str:
    if value not in COMPUTE:
        raise _invalid(f"unknown compute configuration `{value}`; known: {', '.join(COMPUTE)}")
    return value


def _commands(value: str) -> str:
    try:
        split_commands(value)
    except ValueError as error:
        raise _invalid(str(error)) from None
    return value


def _key(value: str) -> str:
    if not value.strip():
        raise _invalid("empty; give the key or a reference such as ${env:AWS_ACCESS_KEY_ID}")
    if any(ord(character) < 33 or ord(character) > 126 for character in value):
        raise _invalid("a key has no spaces and no characters outside ASCII")
    if value.startswith("${") and parse_secret(value).kind == "literal":
        raise _invalid("not a reference that is read here: ${env:NAME}, ${file:PATH} or ${embedded:NAME}")
    return value


Name = Annotated[str, AfterValidator(_one_line)]
Version = Annotated[str, AfterValidator(_version)]
Key = Annotated[str, AfterValidator(_key)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Author(_Section):
    name: Name
    email: Name = ""


class Runtime(_Section):
    name: Literal["python"]
    version: Version


class FrameworkSection(_Section):
    name: Name
    version: Version
    runtimes: Runtime
    compat: Name = ""


class ComputeConfiguration(_Section):
    name: Annotated[str, AfterValidator(_compute)]
    nodes: int = Field(default=1, ge=1, le=MAX_NODES)


class Execution(_Section):
    command: Annotated[str, AfterValidator(_commands)]
    compute_configuration: ComputeConfiguration


class ModelDefinition(_Section):
    name: Name
    author: Author | None = None
    description: str = ""
    framework: FrameworkSection
    packages: list[Annotated[str, AfterValidator(_package)]] = []
    execution: Execution


class ConnectionSection(_Section):
    endpoint_url: Annotated[str, AfterValidator(_url)]
    access_key_id: Key
    secret_access_key: Key

    def to_connection(self) -> Connection:
        return Connection(self.endpoint_url, parse_secret(self.access_key_id), parse_secret(self.secret_access_key))


class BucketSection(_Section):
    bucket: Annotated[str, AfterValidator(_bucket)]


class TrainingData(_Section):
    name: Name = ""
    connection: ConnectionSection
    source: BucketSection
    type: Literal["s3"]


class TrainingResults(_Section):
    name: Name = ""
    connection: ConnectionSection
    target: BucketSection
    type: Literal["s3"]


class WmlManifest(_Section):
    """The whole file."""

    model_definition: ModelDefinition
    training_data_reference: TrainingData
    training_results_reference: TrainingResults

    def to_manifest(self) -> Manifest:
        """The canonical value."""
        definition, data, results = self.model_definition, self.training_data_reference, self.training_results_reference
        framework, compute = definition.framework, definition.execution.compute_configuration
        return Manifest(
            name=definition.name,
            author=definition.author.name if definition.author else "",
            description=definition.description,
            framework=Framework(framework.name, framework.version, framework.runtimes.version, framework.compat),
            packages=tuple(definition.packages),
            commands=split_commands(definition.execution.command),
            compute=Compute(compute.name, compute.nodes),
            training_data=BucketReference(data.name, data.connection.to_connection(), data.source.bucket),
            training_results=BucketReference(results.name, results.connection.to_connection(), results.target.bucket),
        )

"""Where a manifest's data and results are: sections of the canonical form, some of them shared by other dialects."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, Tag

from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.fields import (
    Absolute,
    Bucket,
    Choice,
    Label,
    Region,
    Relative,
    Server,
    Url,
    by_shape,
)
from toolkit.manifest.key_fields import Key, PairReference
from toolkit.manifest.model import (
    EMBEDDED,
    BucketReference,
    Connection,
    DataReference,
    FolderReference,
    NfsReference,
    ResultsReference,
)
from toolkit.secrets import parse_secret
from toolkit.yaml.source import Path_
from toolkit.yaml.validate import Section

_TYPES = ("s3", "path", "nfs")
_STRICT = re.compile(r"(?!xn--)(?!.*(?:\.\.|\.-|-\.))(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; the embedded server's are the same."""
_AMAZON = re.compile(r"(?:^|\.)amazonaws\.com(?:\.cn)?$")
RULE = "3-63 small letters, digits, dots and dashes"
Reference = TypeVar("Reference", bound=DataReference)


class StoreSection(Section):
    """What a connection may say about its store, whatever its other fields are called."""

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
    """Both keys from one source: a profile, or the standard chain."""

    endpoint_url: Url
    credentials: PairReference

    def to_connection(self) -> Connection:
        return self.connection_with(self.endpoint_url, self.credentials, self.credentials)


AnyConnection = Annotated[
    Annotated[KeysConnection, Tag("~keys")] | Annotated[PairConnection, Tag("~pair")],
    by_shape(lambda value: "pair" if isinstance(value, dict) and "credentials" in value else "keys"),
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
    """The shape, by `type`; for an unknown type, errors are reported as for a bucket."""
    named = value.get("type") if isinstance(value, dict) else None
    return named if isinstance(named, str) and named in _TYPES else "s3"


AnyData = Annotated[
    Annotated[BucketData, Tag("~s3")] | Annotated[FolderData, Tag("~path")] | Annotated[ExportData, Tag("~nfs")],
    by_shape(reference_shape),
]


class Results(Section):
    """`collect` lists what `toolkit collect` downloads besides `model/`; `write` is how programs write results."""

    name: Label = ""
    collect: list[Relative] = Field(default_factory=list)
    write: Annotated[str, Choice("way of writing", ("mount", "local"))] = "mount"


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


def allowed(reference: Reference, diagnostics: Diagnostics, path: Path_) -> Reference:
    """`reference`; refuses a bucket name that its store cannot have. `path` is where it is in the file."""
    if isinstance(reference, BucketReference) and (
        why := refused_by(reference.connection.endpoint_url, reference.bucket)
    ):
        diagnostics.refuse(path, why)
    return reference


def refused_by(endpoint_url: str, bucket: str) -> str:
    """Why the store at `endpoint_url` cannot have a bucket of this name; empty if it may have one."""
    host = (urlsplit(endpoint_url).hostname or "") if endpoint_url != EMBEDDED else ""
    if _STRICT.fullmatch(bucket) or not (endpoint_url == EMBEDDED or _AMAZON.search(host)):
        return ""
    whose = "the embedded store's" if endpoint_url == EMBEDDED else "Amazon's"
    return f"`{bucket}` is no bucket name: {RULE} ({whose} rule)"

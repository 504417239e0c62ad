"""The references of Watson ML's API of version 4: a list of them for the data, each with a `location`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from toolkit.manifest.dialects.canonical import whole_definition
from toolkit.manifest.dialects.wml import WatsonConnection, WatsonDefinition
from toolkit.manifest.fields import Bucket, Choice, Name, Relative, Section
from toolkit.manifest.model import BucketReference, Manifest
from toolkit.manifest.told import Told


class Location(Section):
    bucket: Bucket
    path: Relative = ""


class ReferenceV4(Section):
    """A bucket, and the path in it."""

    id: Name = ""
    name: Name = ""
    connection: WatsonConnection
    location: Location
    type: Annotated[str, Choice("type", ("s3",))]

    def to_reference(self) -> BucketReference:
        return BucketReference(
            self.name or self.id,
            self.connection.to_connection(),
            self.location.bucket,
            self.location.path.rstrip("/"),
        )


class WmlV4Manifest(Section):
    """The whole file."""

    model_definition: WatsonDefinition
    training_data_references: Annotated[list[ReferenceV4], Field(min_length=1, max_length=1)]
    results_reference: ReferenceV4

    def to_manifest(self, told: Told) -> Manifest:
        """The canonical value."""
        return Manifest(
            **whole_definition(self.model_definition, told),
            training_data=self.training_data_references[0].to_reference(),
            training_results=self.results_reference.to_reference(),
        )

"""The references of Watson ML's API of version 4: a list of them for the data, each with a `location`."""

from __future__ import annotations

from typing import Annotated

from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.dialects.canonical import refuse_bucket
from toolkit.manifest.dialects.wml import WatsonConnection, WatsonDefinition, definition_of
from toolkit.manifest.fields import Bucket, Choice, Label, OneOf, Relative, Section, only
from toolkit.manifest.model import BucketReference, Manifest


class Location(Section):
    bucket: Bucket
    path: Relative = ""


class ReferenceV4(Section):
    """A bucket, and the path in it."""

    id: Label = ""
    name: Label = ""
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
    training_data_references: OneOf[ReferenceV4]
    results_reference: OneOf[ReferenceV4]

    def to_manifest(self, diagnostics: Diagnostics) -> Manifest:
        """The canonical value."""
        data, data_path = only(self.training_data_references, ("training_data_references",))
        results, results_path = only(self.results_reference, ("results_reference",))
        refuse_bucket(data.to_reference(), diagnostics, (*data_path, "location", "bucket"))
        refuse_bucket(results.to_reference(), diagnostics, (*results_path, "location", "bucket"))
        return Manifest(
            **definition_of(self.model_definition, diagnostics),
            training_data=data.to_reference(),
            training_results=results.to_reference(),
        )

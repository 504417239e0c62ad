"""The references of version 4 of Watson ML's API: a list of them for the data, each with a `location`."""

from __future__ import annotations

from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.dialect import Dialect, ManifestFile, names_at_top
from toolkit.manifest.dialects.canonical import FRAMEWORK
from toolkit.manifest.dialects.stores import allowed
from toolkit.manifest.dialects.wml import LocatedReference, WatsonDefinition, WatsonFramework, definition_of
from toolkit.manifest.fields import OneOf, only
from toolkit.manifest.model import Manifest

_REFERENCES = ("training_data_references", "results_reference")


class WmlV4Manifest(ManifestFile):
    """The whole file."""

    model_definition: WatsonDefinition
    training_data_references: OneOf[LocatedReference]
    results_reference: OneOf[LocatedReference]

    def to_manifest(self, diagnostics: Diagnostics) -> Manifest:
        """The canonical value."""
        data, data_path = only(self.training_data_references, ("training_data_references",))
        results, results_path = only(self.results_reference, ("results_reference",))
        return Manifest(
            training_data=allowed(data.to_reference(), diagnostics, (*data_path, "location", "bucket")),
            training_results=allowed(results.to_reference(), diagnostics, (*results_path, "location", "bucket")),
            **definition_of(self.model_definition, diagnostics),
        )


DIALECT = Dialect(
    name="wml-v4",
    title="Watson ML, API version 4",
    model=WmlV4Manifest,
    matches=lambda source: not names_at_top(source).isdisjoint(_REFERENCES),
    framework=FRAMEWORK,
    framework_model=WatsonFramework,
    signs=("training_data_references",),
    references=_REFERENCES,
)

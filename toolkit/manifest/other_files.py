"""Identify YAML files that are not manifests: what people have next to one, or mistake for one. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.manifest.dialect import names_at_top
from toolkit.manifest.dialects import registry
from toolkit.yaml.source import Source

_REFERENCES = "training_data_reference and training_results_reference"


@dataclass(frozen=True)
class _Kind:
    """A kind of file: it has all of `names` at its top level; the error is placed at the first."""

    what: str
    names: tuple[str, ...]
    instead: str = ""


_KINDS = (
    _Kind("a Kubernetes object", ("kind", "apiVersion")),
    *(
        _Kind("an experiment of Watson ML", names, "give each training of it a manifest of its own")
        for names in (
            ("training_references",),
            ("hyper_parameters_optimization",),
            ("optimization_method",),
            ("settings", "training_results_reference"),
        )
    ),
    _Kind(
        "a training definition of Watson ML",
        ("framework", "execution"),
        f"put what it says of the training below `model_definition:`, and beside that {_REFERENCES}",
    ),
    _Kind(
        "a training definition of Watson ML",
        ("framework", "command"),
        f"put its framework below `model_definition:`, its command below `execution:`, and beside that {_REFERENCES}",
    ),
    _Kind("a Compose file", ("services",)),
    _Kind("a GitHub workflow", ("jobs",)),
    _Kind("a conda environment", ("dependencies",)),
    _Kind("an MLproject file", ("entry_points",)),
    _Kind("a cluster file of this tool", ("hosts",), "give it with --cluster"),
)


def other_file(source: Source) -> tuple[str, str] | None:
    """A description of `source`, and the name that identifies it; None if it may be a manifest."""
    names = names_at_top(source)
    if any(not names.isdisjoint(dialect.signs) for dialect in registry.DIALECTS):
        return None
    kind = next((one for one in _KINDS if names.issuperset(one.names)), None)
    if kind is None:
        return None
    instead = f": {kind.instead}" if kind.instead else ""
    return f"this is {kind.what}, not a training manifest{instead}", kind.names[0]

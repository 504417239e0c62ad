"""Identify YAML files that are not manifests: what people have next to one, or mistake for one. Pure."""

from __future__ import annotations

from toolkit.manifest.dialect import names_at_top
from toolkit.manifest.dialects import registry
from toolkit.yaml.source import Source

_REFERENCES = "training_data_reference and training_results_reference"


_KINDS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("a Kubernetes object", ("kind", "apiVersion"), ""),
    *(
        ("an experiment of Watson ML", names, "give each training of it a manifest of its own")
        for names in (
            ("training_references",),
            ("hyper_parameters_optimization",),
            ("optimization_method",),
            ("settings", "training_results_reference"),
        )
    ),
    (
        "a training definition of Watson ML",
        ("framework", "execution"),
        f"put what it says of the training below `model_definition:`, and beside that {_REFERENCES}",
    ),
    (
        "a training definition of Watson ML",
        ("framework", "command"),
        f"put its framework below `model_definition:`, its command below `execution:`, and beside that {_REFERENCES}",
    ),
    ("a Compose file", ("services",), ""),
    ("a GitHub workflow", ("jobs",), ""),
    ("a conda environment", ("dependencies",), ""),
    ("an MLproject file", ("entry_points",), ""),
    ("a cluster file of this tool", ("hosts",), "give it with --cluster"),
)
"""A kind of file, the names that it has at its top level, and what to do instead; an error is placed at the first."""


def other_file(source: Source) -> tuple[str, str] | None:
    """A description of `source`, and the name that identifies it; None if it may be a manifest."""
    names = names_at_top(source)
    if any(not names.isdisjoint(dialect.signs) for dialect in registry.DIALECTS):
        return None
    for what, signs, instead in _KINDS:
        if names.issuperset(signs):
            return f"this is {what}, not a training manifest{f': {instead}' if instead else ''}", signs[0]
    return None

"""A first manifest for a person's own training, with comments: the text that `toolkit manifest init` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

TEMPLATE = "manifest.yml.j2"


@dataclass(frozen=True)
class Wishes:
    """A person's choices; each value as the file's field accepts it."""

    name: str
    framework: str
    framework_version: str
    python: str
    command: str
    compute: str
    nodes: int
    endpoint: str
    data_bucket: str
    results_bucket: str


def starter_text(wishes: Wishes, templates: Path) -> str:
    """The file's text; each value is written as JSON, which is YAML and quotes what needs quoting."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # every command on a manifest imports this module

    environment = Environment(
        loader=FileSystemLoader(templates),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,  # noqa: S701 (YAML, not HTML)
    )
    environment.filters["yaml"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.get_template(TEMPLATE).render(wishes=wishes)

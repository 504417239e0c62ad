"""The JSON Schema of a manifest, for editors: every dialect, and the frameworks of the catalogue.

It is generated from the models that validate a file, so both accept the same. What a schema cannot express is in
docs/manifest.md: YAML's own errors, shell grammar, and conditions between two fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from toolkit.catalogue.model import FrameworkRow
from toolkit.manifest.dialect import Dialect
from toolkit.manifest.dialects import registry

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(rows: Sequence[FrameworkRow]) -> dict[str, Any]:
    """One schema for all dialects, with the names and versions of `rows`."""
    definitions: dict[str, Any] = {"Framework": _frameworks(rows)}
    shapes = []
    for dialect in reversed(registry.DIALECTS):  # most general first: editors complete from the first that matches
        if not dialect.in_schema:
            continue
        schema = dialect.model.model_json_schema(by_alias=True, ref_template=f"#/$defs/{dialect.name}.{{model}}")
        for name, definition in schema.pop("$defs", {}).items():
            definitions[f"{dialect.name}.{name}"] = _with_frameworks(dialect, name, definition)
        shapes.append({"$ref": f"#/$defs/{dialect.name}"})
        definitions[dialect.name] = schema
    return {"$schema": _DRAFT, "title": "A manifest of toolkit", "anyOf": shapes, "$defs": definitions}


def _with_frameworks(dialect: Dialect, name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """Restrict a dialect's framework to those of the catalogue; FfDL's `-gpu` does not matter for that."""
    if name != dialect.framework_model.__name__:
        return definition
    return {"allOf": [definition, {"$ref": "#/$defs/Framework"}]}


def _frameworks(rows: Sequence[FrameworkRow]) -> dict[str, Any]:
    pythons: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        pythons.setdefault((row.framework, row.version), set()).update({row.python, row.python.partition(".")[0]})
    return {"anyOf": [one for (name, version), known in pythons.items() for one in _spellings(name, version, known)]}


def _spellings(name: str, version: str, pythons: set[str]) -> Iterator[dict[str, Any]]:
    """`tensorflow-ddl` `1.5`, and `tensorflow` `1.5-ddl`; both also with the Python in the middle."""
    base, _, extension = name.partition("-")
    inside = rf"(?:-gpu)?(?:-py(?:{'|'.join(sorted(map(re.escape, pythons)))}))?"
    yield _spelling(name, rf"^{re.escape(version)}{inside}$", pythons)
    if extension:
        yield _spelling(base, rf"^{re.escape(version)}{inside}-{re.escape(extension)}$", pythons)


def _spelling(name: str, version: str, pythons: set[str]) -> dict[str, Any]:
    runtime = {"properties": {"version": {"enum": sorted(pythons)}}}
    rule: dict[str, Any] = {
        "properties": {
            "name": {"const": name},
            "version": {"pattern": version},
            "runtimes": {"allOf": [{"if": {"type": "object"}, "then": runtime}, {"items": runtime}]},
        }
    }
    return rule if "3" in pythons else rule | {"required": ["runtimes"]}

"""Whether a TOML file's values have the types that its format defines; others are reported.
Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Shape = Literal["table", "texts", "tables of strings"]
"""`tables of strings`: a table whose values are lists of strings, such as `[project.optional-dependencies]`."""
_WORDS: dict[Shape, str] = {
    "table": "expected a table",
    "texts": 'expected a list of strings, such as ["a", "b"]',
    "tables of strings": 'expected names with lists of strings, such as name = ["a", "b"]',
}


def misshapen(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> Iterator[tuple[str, str]]:
    """By dotted name (`project.dependencies`), the type expected instead of the one found; absent ones are valid."""
    for dotted, shape in shapes.items():
        value: Any = values
        for name in dotted.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None and not _has(value, shape):
            yield dotted, _WORDS[shape]


def _has(value: Any, shape: Shape) -> bool:
    if shape == "texts":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if not isinstance(value, dict):
        return False
    return shape == "table" or all(_has(one, "texts") for one in value.values())

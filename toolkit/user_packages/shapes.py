"""Whether a TOML file's values have the shapes that its format gives them: what has another is reported.
Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Shape = Literal["table", "texts", "tables of strings"]
"""`tables of strings`: a table whose values are lists of texts, as `[project.optional-dependencies]`."""
_WORDS: dict[Shape, str] = {
    "table": "expected a table",
    "texts": 'expected a list of strings, such as ["a", "b"]',
    "tables of strings": 'expected names with lists of strings, such as name = ["a", "b"]',
}


def misshapen(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> Iterator[tuple[str, str]]:
    """By dotted name (`project.dependencies`), what was expected in place of what is there; absent ones are right."""
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

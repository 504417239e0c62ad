"""A program's metrics, from `RESULT_DIR/metrics.json`."""

from __future__ import annotations

import json

Metric = int | float | str


def read_metrics(text: str | bytes | None) -> dict[str, Metric]:
    """The numbers and short strings of a JSON object that a program wrote; empty if it is invalid."""
    try:
        found = json.loads(text or "", parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, int | float | str)}

"""The samples of a host, as its agent stored them (`toolkit/agent/host_samples.py`): JSON lines. Pure.

They come from a bucket or over a connection, so anything may be in them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

from toolkit.metrics.collected import Collected
from toolkit.metrics.series import Point

_NUMBERED = re.compile(r"^gpu\d{1,4}\.")
_LONGEST = 1 << 16
_MOST_VALUES = 512


def read_samples(lines: Iterable[str], collected: Collected) -> None:
    """Add the samples in `lines` to `collected`; lines that are none are left out. A line with `host` begins a host."""
    host, units = "", dict[str, Any]()
    for line in lines:
        found = _object(line)
        if isinstance(found.get("host"), str):
            host = found["host"]
            units = found["units"] if isinstance(found.get("units"), dict) else {}
        at = _number(found.pop("at", None))
        if not host or at is None:
            continue
        for name, one in list(found.items())[:_MOST_VALUES]:
            if (value := _number(one)) is not None:
                unit = units.get(_NUMBERED.sub("gpu.", name), "")
                collected.add(host, name, unit[:40] if isinstance(unit, str) else "", Point(at, value))


def _object(line: str) -> dict[str, Any]:
    if len(line) > _LONGEST:
        return {}
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(value: object) -> float | None:
    if type(value) is int:
        return float(value) if abs(value) < 1 << 62 else None
    return value if type(value) is float and math.isfinite(value) else None

"""The part of a step's status about ranks that diverged.

The supervisor wrote it, in a folder that the program can write to: it is validated and bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LONGEST = 2000
_LARGEST = 1 << 53


@dataclass(frozen=True)
class Divergence:
    """Ranks that do not train one model, as reported by one of them.

    Attributes:
        why: in a sentence.
        first_step, last_step: the steps in which they diverged; None if unknown.
        variable, difference: the first variable that differs, and its relative difference; empty and None if unknown.
    """

    why: str
    first_step: int | None = None
    last_step: int | None = None
    variable: str = ""
    difference: float | None = None


def divergence_of(step: Mapping[str, Any]) -> Divergence | None:
    """The divergence in `status.json` for a step; None if no rank reported one."""
    said = step.get("unsynchronised")
    if not said:
        return None
    if not isinstance(said, dict) or not (why := _text(said.get("why"))):
        return Divergence("its ranks were not synchronised")
    first, last = _count(said.get("first_step")), _count(said.get("last_step"))
    return Divergence(why, first, last, _text(said.get("variable")), _size(said.get("difference")))


def _size(value: object) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return value if known and 0 <= value <= _LARGEST else None  # type: ignore[operator,return-value]


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= _LARGEST else None


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(sign if sign.isprintable() else " " for sign in value[:_LONGEST]).strip()

"""Where measurements come from: the protocol of what finds them in a rank's lines, and what it finds. Values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

NUMBER = r"[-+]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][-+]?\d{1,3})?"
"""A number as programs print it. What it is not: `nan` and `inf`, which are no point of a curve."""
_ESCAPE = re.compile(r"\x1b\[[0-9;:]{0,64}[A-Za-z]")


@dataclass(frozen=True)
class Measured:
    """One value that a program has reported.

    Attributes:
        name: as the program named it.
        step: the program's own, None where it named none.
        unit: such as `seconds`; empty for a number without one.
    """

    name: str
    value: float
    step: int | None = None
    unit: str = ""


class LineSource(Protocol):
    """Finds measurements in the lines of one rank, in their order; it may remember earlier ones."""

    def read(self, text: str) -> Iterable[Measured]:
        """What this line reports; nothing if it is not of this source's form. Never raises."""
        ...


def without_colours(text: str) -> str:
    """A line without the sequences that set colours or move a cursor."""
    return _ESCAPE.sub("", text) if "\x1b" in text else text

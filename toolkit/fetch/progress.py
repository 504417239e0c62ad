"""How far a download is: a value, so that a screen, a log or a test can take it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fetching:
    """`file` is the `position`th of `count`; `done` of its `total` bytes are here, 0 of 0 where unknown."""

    file: str
    position: int
    count: int
    done: int
    total: int


OnProgress = Callable[[Fetching], None]

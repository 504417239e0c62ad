"""A download's progress, as a value for a screen, a log or a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from toolkit.lock.pool import Pin


@dataclass(frozen=True)
class Fetching:
    """`file` is the `position`th of `count`; `done` of its `total` bytes are here, 0 of 0 if unknown.

    `note` is a line to print and keep: what was wrong with the file.
    """

    file: str
    position: int
    count: int
    done: int
    total: int
    note: str = ""


def dropped(pin: Pin) -> Fetching:
    """The pool's file of `pin` was damaged."""
    return Fetching(pin.file, 0, 0, 0, 0, f"{pin.file} was damaged in the pool: dropped and fetched again")


OnProgress = Callable[[Fetching], None]

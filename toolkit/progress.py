"""What a build tells while it runs: values, so that a screen, a log or a test can take them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """`stage` is what is being made, `detail` the step; `done` of `total` in `unit`, 0 of 0 where unknown.

    `note` is a line that stays on the screen: what a person should know when the bar is gone.
    """

    stage: str
    detail: str = ""
    done: int = 0
    total: int = 0
    unit: str = "steps"
    note: str = ""


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """For callers that show nothing."""

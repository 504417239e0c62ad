"""A build's progress while it runs: values, for a screen, a log or a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """`stage` is what is being built, `detail` the step; `done` of `total` in `unit`, 0 of 0 if unknown.

    `note` is a line that stays on the screen: what a person should know when the bar is gone.
    """

    stage: str
    detail: str = ""
    done: int = 0
    total: int = 0
    unit: str = "steps"
    note: str = ""


Report = Callable[[Progress], None]


def counted(pieces: Iterable[bytes], report: Report, stage: str, detail: str, total: int) -> Iterator[bytes]:
    """`pieces`, reporting the bytes so far as each is passed on; a `total` that turns out too small grows."""
    done = 0
    for piece in pieces:
        done += len(piece)
        report(Progress(stage, detail, done, max(total, done), "bytes"))
        yield piece


def silent(progress: Progress) -> None:
    """For callers that show nothing."""

"""The files that the pool does not have, or has damaged."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.lock.pool import AnyPin, Pool
from toolkit.progress import Progress, Report


def missing_from(pool: Pool, pins: Sequence[AnyPin], stage: str, report: Report) -> list[AnyPin]:
    """The pins to download; a damaged file is dropped, which a note of `stage` reports."""

    def on_dropped(pin: AnyPin) -> None:
        report(Progress(stage, note=f"{pin.file} was damaged in the pool: dropped and fetched again"))

    return pool.lacking(pins, on_dropped)

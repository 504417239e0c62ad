"""Waits, within limits, until everything that programs wrote has been uploaded, as reported by the mounts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from toolkit.agent.end_reasons import Reason
from toolkit.agent.upload_progress import Progress, Waiting

POLL_SECONDS = 0.25


class NotStored(Exception):
    """Something that the run wrote is not in the bucket. With `final`, no later attempt can store it either."""

    def __init__(self, reason: Reason, what: str, evidence: str = "", *, final: bool = False) -> None:
        super().__init__(what)
        self.reason, self.what, self.evidence, self.final = reason, what, evidence[-2000:], final


class Mounts(Protocol):
    """Queries to the mounts; see `toolkit.agent.results_bucket.Bucket`."""

    def waiting(self) -> Waiting:
        """What is still to be uploaded."""

    def whole(self) -> bool:
        """Whether no file in the mounts' caches has an error."""

    def refusal(self) -> tuple[Reason, str]:
        """Why the store accepts nothing now."""

    def probe(self) -> str:
        """The store's message if it refuses one of our objects; empty if it accepts it."""


def flush(mounts: Mounts, patience: float, on_state: Callable[[Waiting], None]) -> None:
    """Wait until the mounts have nothing left to upload.

    rclone uploads some seconds after a file is closed, so an unmount proves nothing. Raises `NotStored` after
    `patience` seconds without progress; earlier if the store refuses permanently, or if only sparse files that would
    never finish are waiting.
    """
    watch = Progress(time.monotonic())
    while True:
        waiting = mounts.waiting()
        on_state(waiting)
        if not waiting.count and mounts.whole():
            return
        now = time.monotonic()
        if waiting.sparse and len(waiting.sparse) == waiting.count:
            what = f"sparse files were not stored: {', '.join(waiting.sparse[:10])}"
            raise NotStored(Reason.BUCKET_WRITE, what, final=True)
        if watch.moved(now, waiting):
            pass
        elif watch.refused(now, mounts.probe):
            what = f"the store refuses writes ({watch.reason}), {waiting.count} files are waiting"
            raise NotStored(watch.reason, what, f"{watch.said}\n{waiting.named}")
        elif watch.silent(now) > patience:
            reason, said = mounts.refusal()
            what = f"{waiting.count} files could not be stored ({reason})"
            raise NotStored(reason, what, f"{said}\n{waiting.named}")
        time.sleep(POLL_SECONDS)

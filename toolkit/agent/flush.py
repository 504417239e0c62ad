"""Waiting until all that programs wrote has reached the store: known from what the mounts say, and bounded."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from toolkit.agent.end_reasons import Reason
from toolkit.agent.upload_progress import Progress, Waiting

POLL_SECONDS = 0.25


class NotStored(Exception):
    """Something that the run wrote is not in the bucket. With `final`, no later try can store it either."""

    def __init__(self, reason: Reason, what: str, evidence: str = "", *, final: bool = False) -> None:
        super().__init__(what)
        self.reason, self.what, self.evidence, self.final = reason, what, evidence[-2000:], final


class Mounts(Protocol):
    """What is asked of the mounts; see `toolkit.agent.results_bucket.Bucket`."""

    def waiting(self) -> Waiting:
        """What is still to be uploaded."""

    def whole(self) -> bool:
        """Whether no file of the mounts' caches is in error."""

    def refusal(self) -> tuple[Reason, str]:
        """Why the store takes nothing now."""

    def probe(self) -> str:
        """What the store says against an object of ours; empty where it takes it."""


def flush(mounts: Mounts, patience: float, on_state: Callable[[Waiting], None]) -> None:
    """Wait until the mounts have nothing left to upload.

    rclone writes back some seconds after a file is closed, so an unmount proves nothing. Raises `NotStored` once
    `patience` seconds pass in which nothing moved; earlier where the store itself refuses for good, and where all that
    waits are sparse files that would never end.
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

"""The list of checksums of a run: each host's agent writes its own, learner 1's makes one of them.

A list lies in the bucket, where whoever can write to it may change it. So its own SHA-256 goes another way: with the
host's report, and of the whole list with the run's record.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from toolkit.agent.checksums import MOST_BYTES, SUMS, merged, read_list, sha256_of, write_list
from toolkit.agent.end_reasons import Reason
from toolkit.agent.facts import HostReport
from toolkit.agent.job_spec import Job
from toolkit.agent.paths import RUN_FOLDER

_PAUSE_SECONDS = 0.5


class Objects(Protocol):
    """Small objects of the results bucket; see `toolkit.agent.results_bucket.Bucket`."""

    def put(self, name: str, data: bytes, *, short: bool = True) -> bool:
        """Write one; whether it is there."""

    def get(self, name: str, most: int = 1 << 20) -> bytes | None:
        """Read one; None where it is not there."""


def list_of(run: str) -> str:
    """The object with the checksums of a run."""
    return f"{run}/{RUN_FOLDER}/{SUMS}"


def own_list(job: Job) -> str:
    """The object with the checksums of what this host's programs wrote: on one host it is the run's."""
    return list_of(job.run) if len(job.hosts) == 1 else f"{list_of(job.run)}.{job.host}"


def gathered(bucket: Objects, job: Job, reports: Sequence[HostReport]) -> tuple[tuple[HostReport, ...], str]:
    """Make one list of the hosts', store it; its SHA-256, empty where there is none or it could not be stored.

    A host whose list is not the one that it reported has failed: someone else has written it.
    """
    if len(job.hosts) == 1:
        return tuple(reports), reports[0].checksums
    lists: list[dict[str, str]] = []
    until = time.monotonic() + job.torn_seconds
    checked = tuple(_added(lists, bucket, f"{list_of(job.run)}.{report.host}", report, until) for report in reports)
    data = write_list(merged(lists))
    there = bool(lists) and bucket.put(list_of(job.run), data, short=False)
    return checked, sha256_of(data) if there else ""


def _added(lists: list[dict[str, str]], bucket: Objects, name: str, report: HostReport, until: float) -> HostReport:
    """The report, once the host's list is among `lists`; a failure where that is not its own at the time `until`."""
    if not report.checksums:
        return report
    try:
        lists.append(believed(bucket.get(name, MOST_BYTES) or b"", report.checksums))
    except ValueError as error:
        if time.monotonic() < until:
            time.sleep(_PAUSE_SECONDS)
            return _added(lists, bucket, name, report, until)
        what = f"object {name} is refused: {error}"
        return replace(report, failure=report.failure or Reason.BUCKET_WRITE, what=report.what or what)
    return report


def believed(data: bytes, checksum: str) -> dict[str, str]:
    """SHA-256 by key, of a list whose own SHA-256 is known. Raises `ValueError` where it is another."""
    if sha256_of(data) != checksum:
        raise ValueError(f"it is not what the run's agent wrote (SHA-256 {checksum})")
    return read_list(data)

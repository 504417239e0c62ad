"""A run's list of checksums: each host's agent writes its own, learner 1's merges them.

A list is in the bucket, where anyone with write access can change it. Its own SHA-256 therefore takes another path: in
the host's report, and for the merged list in the run's record.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
        """Write one; returns whether it is stored."""

    def get(self, name: str, most: int = 1 << 20) -> bytes | None:
        """Read one; None if it does not exist."""


@dataclass(frozen=True)
class Gathered:
    """The hosts' reports as far as their lists are theirs, the merged list's SHA-256 (empty if there is none, or if it
    could not be stored), and the objects that two hosts wrote differently."""

    reports: tuple[HostReport, ...]
    checksums: str
    disputed: frozenset[str] = frozenset()


def list_of(run: str) -> str:
    """The object with the checksums of a run."""
    return f"{run}/{RUN_FOLDER}/{SUMS}"


def own_list(job: Job) -> str:
    """The object with the checksums of what this host's programs wrote: with one host, it is the run's."""
    return list_of(job.run) if len(job.hosts) == 1 else f"{list_of(job.run)}.{job.host}"


def gathered(bucket: Objects, job: Job, reports: Sequence[HostReport]) -> Gathered:
    """Merge the hosts' lists into one and store it.

    A host whose list is not the one that it reported has failed: someone else has written it.
    """
    if len(job.hosts) == 1:
        return Gathered(tuple(reports), reports[0].checksums)
    lists: list[dict[str, str]] = []
    until = time.monotonic() + job.torn_seconds
    checked = tuple(_added(lists, bucket, f"{list_of(job.run)}.{report.host}", report, until) for report in reports)
    sums, disputed = merged(lists)
    data = write_list(sums)
    there = bool(lists) and bucket.put(list_of(job.run), data, short=False)
    return Gathered(checked, sha256_of(data) if there else "", frozenset(disputed))


def _added(lists: list[dict[str, str]], bucket: Objects, name: str, report: HostReport, until: float) -> HostReport:
    """The report, once the host's list is in `lists`; a failure if it does not match by the time `until`."""
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


def run_list(bucket: Objects, run: str, checksums: str) -> dict[str, str]:
    """SHA-256 by key, of the run's list, whose own SHA-256 is `checksums`; empty if it cannot be read now."""
    try:
        return believed(bucket.get(list_of(run), MOST_BYTES) or b"", checksums) if checksums else {}
    except ValueError:
        return {}


def believed(data: bytes, checksum: str) -> dict[str, str]:
    """SHA-256 by key, of a list whose own SHA-256 is known. Raises `ValueError` if it does not match."""
    if sha256_of(data) != checksum:
        raise ValueError(f"it is not what the run's agent wrote (SHA-256 {checksum})")
    return read_list(data)

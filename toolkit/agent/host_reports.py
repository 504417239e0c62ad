"""What a run's hosts report to each other at the end, through the bucket, which all of them reach."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from typing import Any

from toolkit.agent.facts import HostReport, LearnerEnd
from toolkit.agent.host_stages import HostStage
from toolkit.agent.job_spec import Job
from toolkit.agent.paths import BEGAN, CONTROL_FOLDER, RECORD
from toolkit.agent.service import BucketClient
from toolkit.agent.signed import Forged, signed, verified

_POLL_SECONDS = 0.5
_SOON = 2 / 3
"""Fraction of the cluster's `lost` after which a silent host is reported."""
_TELL_SECONDS = 60.0
_SILENT_SECONDS = 20.0
"""Added to the cluster's `lost` while storing: a store busy with a host's uploads may also delay its report."""


class Reports:
    """The reports of one run's hosts: this one's is sent, the others' are received.

    `forged` names objects that claim to be such a report but were not written by an agent of the run; in a folder,
    those that remain so.
    """

    def __init__(self, job: Job, bucket: BucketClient) -> None:
        self._job, self._bucket = job, bucket
        self._sent = 0
        self._torn: dict[int, float] = {}
        """Since when a host's report has been invalid."""
        self.forged: tuple[str, ...] = ()

    def tell(self, report: HostReport, note: str = "") -> bool:
        """Store this host's report in the bucket, and return whether it is there. A final one, on which everything
        depends, is retried for a minute."""
        self._sent += 1
        body = asdict(report) | {"note": note, "at": time.time(), "number": self._sent}
        return self._put(self._name(report.host), body, _TELL_SECONDS if report.final else 0)

    def begin(self, record: dict[str, Any]) -> None:
        """Record in the bucket that the run has started."""
        self._put(BEGAN, record, 0)

    def of_others(self, on_silent: Callable[[tuple[int, ...]], None], *, patient: bool) -> Iterator[HostReport]:
        """The final report of each other host; missing for a host that has been silent for too long.

        A host that is storing reports every 3 s. `on_silent` is called with the hosts that have not, whenever that
        changes. Only a report with a higher number counts: anyone with write access to the bucket can put an old one
        there, or any bytes, at any time. Not `patient`, for a bucket that does not answer this host, it is read once.
        """
        silent: tuple[int, ...] = ()
        waiting = {host: (0, time.monotonic()) for host in range(len(self._job.hosts)) if host != self._job.host}
        while waiting:
            for host, (seen, since) in list(waiting.items()):
                report, number = self._read(self._bucket.get(self._key(self._name(host))) or b"", host)
                if report and report.final:
                    del waiting[host]
                    yield report
                elif number > seen:
                    waiting[host] = (number, time.monotonic())
                elif not patient or time.monotonic() - since > self._job.lost + _SILENT_SECONDS:
                    del waiting[host]
            now = time.monotonic()
            quiet = tuple(host for host, (_, since) in waiting.items() if now - since > self._job.lost * _SOON)
            if quiet != silent:
                silent = quiet
                on_silent(silent)
            if waiting:
                time.sleep(_POLL_SECONDS)

    def publish(self, record: dict[str, Any]) -> bool:
        """Store the final record, which says that the run is over, in the bucket; returns whether it is there."""
        return self._put(RECORD, record, _TELL_SECONDS if not record.get("kept") else 0)

    def _put(self, name: str, body: dict[str, Any], seconds: float) -> bool:
        """Sign and store a control object, with retries for `seconds`. Returns whether it is stored."""
        data, until = signed(body, self._job.key, name), time.monotonic() + seconds
        while not (there := self._bucket.put(self._key(name), data)) and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
        return there

    def _read(self, data: bytes, host: int) -> tuple[HostReport | None, int]:
        """A host's report and its number; none if there is none yet, or if no agent wrote it, which is noted."""
        name = self._name(host)
        if not data:
            return None, 0
        try:
            body = verified(data, self._job.key, name)
        except Forged:
            now = time.monotonic()
            if now - self._torn.setdefault(host, now) >= self._job.torn_seconds:
                self.forged = tuple(dict.fromkeys((*self.forged, self._key(name))))
            return None, 0
        self._torn.pop(host, None)
        report = read_report(body)
        return (report, int(body.get("number", 0))) if report and report.host == host else (None, 0)

    @staticmethod
    def _name(host: int) -> str:
        return f"host-{host}.json"

    def _key(self, name: str) -> str:
        return f"{CONTROL_FOLDER}/{self._job.run}/{name}"


def read_report(found: dict[str, Any]) -> HostReport | None:
    """A report written by `tell`; None if it is invalid."""
    try:
        body = {field.name: found[field.name] for field in fields(HostReport)}
        body["learners"] = tuple(LearnerEnd(**one) for one in body["learners"])
        body["times"] = {key: (float(start), float(end)) for key, (start, end) in body["times"].items()}
        body["without_gpu"], body["found"] = tuple(body["without_gpu"]), tuple(body["found"])
        body["stages"] = tuple(HostStage(**one) for one in body["stages"])
        return HostReport(**body)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None

"""What a run's hosts tell each other at the end. They meet in the bucket: all of them reach it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from toolkit.agent.facts import HostReport, LearnerEnd
from toolkit.agent.job_spec import Job
from toolkit.agent.paths import BEGAN, CONTROL_FOLDER, RECORD
from toolkit.agent.service import BucketClient
from toolkit.agent.signed import Forged, signed, verified

_POLL_SECONDS = 0.5
_SOON = 2 / 3
"""Of the time after which a host is lost in training."""
_TELL_SECONDS = 60.0
_SILENT_SECONDS = 20.0
"""So much longer than a host may be silent in training: a store that is busy with it may be slow with its word, too."""


class Reports:
    """The reports of one run's hosts: this one's is sent, the others' are received.

    `forged` names those objects that say to be such a report and were not written by an agent of the run: in a folder,
    those that stay so.
    """

    def __init__(self, job: Job, bucket: BucketClient) -> None:
        self._job, self._bucket = job, bucket
        self._sent = 0
        self._torn: dict[int, float] = {}
        """Since when a host's report is none that an agent wrote."""
        self.forged: tuple[str, ...] = ()

    def tell(self, report: HostReport, note: str = "") -> bool:
        """Put this host's report into the bucket; a final one is tried for a minute, as all depends on it.

        Whether it is there.
        """
        self._sent += 1
        body = asdict(report) | {"note": note, "at": time.time(), "number": self._sent}
        return self._put(self._name(report.host), body, _TELL_SECONDS if report.final else 0)

    def begin(self, record: dict[str, Any]) -> None:
        """Say in the bucket that the run goes by itself."""
        self._put(BEGAN, record, 0)

    def of_others(self, on_silent: Callable[[tuple[int, ...]], None], *, patient: bool) -> Iterator[HostReport]:
        """The final report of each other host; without one of a host that has been silent for too long.

        A host that stores reports it every 3 s. `on_silent` soon gets the hosts that have not, each time that changes.
        What counts is a report with a higher number: whoever can write to the bucket can put an old one there, or any
        bytes, as often as they like. With `patient` false, the bucket does not answer us either: then they are asked
        once.
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
        """Put the final record into the bucket, where it says that the run is over; whether it is there."""
        return self._put(RECORD, record, _TELL_SECONDS if not record.get("kept") else 0)

    def _put(self, name: str, body: dict[str, Any], seconds: float) -> bool:
        """Sign and store a control object; it is tried again for `seconds`. Whether the bucket has it."""
        data, until = signed(body, self._job.key, name), time.monotonic() + seconds
        while not (there := self._bucket.put(self._key(name), data)) and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
        return there

    def _read(self, data: bytes, host: int) -> tuple[HostReport | None, int]:
        """A host's report and its number; none where there is none yet, or one that no agent wrote: that is noted."""
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
    """A report as `tell` wrote it; None where it is none."""
    try:
        return HostReport(
            host=found["host"],
            learners=tuple(LearnerEnd(**one) for one in found["learners"]),
            ranks=found["ranks"],
            failure=found["failure"],
            what=found["what"],
            evidence=found["evidence"],
            full=found["full"],
            final=found["final"],
            times={key: (float(start), float(end)) for key, (start, end) in found.get("times", {}).items()},
            without_gpu=tuple(found.get("without_gpu", ())),
            found=tuple(found.get("found", ())),
            unstorable=bool(found.get("unstorable")),
            checksums=str(found.get("checksums", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None

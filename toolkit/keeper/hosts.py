"""What a run's hosts tell each other at the end. They meet in the bucket: all of them reach it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from toolkit.keeper.bucket import Bucket
from toolkit.keeper.job import Job
from toolkit.keeper.judge import HostReport, LearnerEnd
from toolkit.keeper.places import RUN_FOLDER

_POLL_SECONDS = 0.5
_SOON = 2 / 3
"""Of the time after which a host is lost in training."""
_TELL_SECONDS = 60.0
_SILENT_SECONDS = 20.0
"""So much longer than a host may be silent in training: a store that is busy with it may be slow with its word, too."""


class Reports:
    """The reports of one run's hosts: this one's is told, the others' are heard."""

    def __init__(self, job: Job, bucket: Bucket) -> None:
        self._job, self._bucket = job, bucket

    def tell(self, report: HostReport, note: str = "") -> bool:
        """Put this host's report into the bucket; a final one is tried for a minute, as all depends on it.

        Whether it is there.
        """
        data = json.dumps(asdict(report) | {"note": note, "at": time.time()}).encode()
        until = time.monotonic() + (_TELL_SECONDS if report.final else 0)
        return self._put(self._name(report.host), data, until)

    def of_others(self, on_silent: Callable[[tuple[int, ...]], None], *, patient: bool) -> Iterator[HostReport]:
        """The final report of each other host; without one of a host that has been silent for too long.

        A host that stores tells so every 3 s. `on_silent` is told soon which hosts have not, each time that changes.
        With `patient` false, the bucket does not answer us either: then they are asked once.
        """
        silent: tuple[int, ...] = ()
        waiting = {host: (b"", time.monotonic()) for host in range(len(self._job.hosts)) if host != self._job.host}
        while waiting:
            for host, (seen, since) in list(waiting.items()):
                data = self._bucket.get(self._name(host)) or b""
                report = read_report(data)
                if report and report.final:
                    del waiting[host]
                    yield report
                elif data != seen:
                    waiting[host] = (data, time.monotonic())
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
        data = json.dumps(record, indent=1).encode()
        name = f"{self._job.run}/{RUN_FOLDER}/record.json"
        until = time.monotonic() + (_TELL_SECONDS if not record.get("kept") else 0)
        return self._put(name, data, until)

    def _put(self, name: str, data: bytes, until: float) -> bool:
        """Try it until that moment, and once at least."""
        while not (there := self._bucket.put(name, data)) and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
        return there

    def _name(self, host: int) -> str:
        return f"{self._job.run}/{RUN_FOLDER}/host-{host}.json"


def read_report(data: bytes) -> HostReport | None:
    """A report as `tell` wrote it; None where it is none."""
    try:
        found = json.loads(data)
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
            checksums=str(found.get("checksums", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None

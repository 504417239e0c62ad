"""Samples of a run's host: one every few seconds, kept in a file of the agent's own, and stored with the run.

The file has a line of JSON that names host and units, and one for each sample. When it has too many samples, each two
neighbours become one, and from then on each is taken over twice the time: a month takes no more room than a day.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from toolkit.agent.docker_api import Usage
from toolkit.agent.end_reasons import Reason
from toolkit.agent.flush import NotStored
from toolkit.agent.gpu_readings import GpuReadings
from toolkit.agent.heartbeat import repeating
from toolkit.agent.host_counters import Counters, read_counters
from toolkit.agent.job_spec import Job
from toolkit.agent.paths import CONTROL, HOST, RUN_FOLDER, SAMPLES
from toolkit.agent.run_state import write_whole
from toolkit.agent.service import BucketClient
from toolkit.agent.traffic import Traffic

EVERY = 5
"""Seconds between two samples."""
_LEAST_SECONDS = 1.0
"""The shortest time over which a rate means something."""
MOST = 2048
"""Samples kept: those of three hours in full; of a day, one for 80 s."""
MOST_BYTES = 16 << 20
"""Of the file; a host with eight GPUs takes 2 MB."""
_GPU_UNITS = {"utilisation": "percent", "memory": "bytes", "power": "watts", "temperature": "degrees Celsius"}
UNITS = {
    **{"cpu": "percent", "cpu.learners": "percent"},
    **dict.fromkeys(("memory", "memory.learners", "memory.free", "disk.free"), "bytes"),
    **dict.fromkeys(("disk.read", "disk.written", "network.received", "network.sent", "mounts"), "bytes/s"),
    **{f"gpu.{name}": unit for name, unit in _GPU_UNITS.items()},
}
"""Of each quantity; `gpu.memory` is that of `gpu0.memory`, `gpu1.memory`, ..."""

Sample = dict[str, float]
"""A value by quantity, and `at`, in seconds since 1970."""


@dataclass(frozen=True)
class Reading:
    """Everything that a sample is made from, at `clock` (seconds of `time.monotonic`)."""

    clock: float
    host: Counters
    traffic: Traffic | None
    learners: Mapping[int, Usage]


def sample_between(before: Reading, now: Reading, gpus: Mapping[str, float]) -> Sample:
    """Rates between two readings, and what is now. A counter that went back (the host's adapter was replaced, a learner
    ended) gives no rate."""
    seconds = now.clock - before.clock
    rates = {
        "disk.read": (before.host.read, now.host.read),
        "disk.written": (before.host.written, now.host.written),
    }
    if before.traffic and now.traffic:
        rates["network.received"] = before.traffic["received"], now.traffic["received"]
        rates["network.sent"] = before.traffic["sent"], now.traffic["sent"]
        rates["mounts"] = before.traffic["mounts"], now.traffic["mounts"]
    sample: Sample = {
        "memory": now.host.memory,
        "memory.free": now.host.memory_free,
        "disk.free": now.host.disk_free,
        **{name: round((late - early) / seconds) for name, (early, late) in rates.items() if late >= early},
    }
    if (ticks := now.host.total - before.host.total) > 0:
        sample["cpu"] = round(100 * (now.host.busy - before.host.busy) / ticks, 1)
    if now.learners:
        sample["memory.learners"] = sum(one.memory for one in now.learners.values())
        pairs = [(before.learners.get(number, late), late) for number, late in now.learners.items()]
        if all(late.at > early.at and late.cpu >= early.cpu for early, late in pairs):
            cores = sum((late.cpu - early.cpu) / (late.at - early.at) for early, late in pairs)
            sample["cpu.learners"] = round(100 * cores / (os.cpu_count() or 1), 1)
    return {**sample, **gpus}


def merged(samples: Sequence[Sample]) -> Sample:
    """Several samples as one, at the time of the last: the mean of each quantity, but the most memory used and the
    least room left, which are what a run ends from."""
    names = dict.fromkeys(name for sample in samples for name in sample)
    return {name: _as_one(name, [sample[name] for sample in samples if name in sample]) for name in names}


def _as_one(name: str, values: Sequence[float]) -> float:
    if name == "at":
        return values[-1]
    if name in ("memory.free", "disk.free"):
        return min(values)
    if name.endswith("memory") or name == "memory.learners":
        return max(values)
    return round(sum(values) / len(values), 1)


def halved(samples: Sequence[Sample]) -> list[Sample]:
    """Each two neighbours as one."""
    return [merged(samples[place : place + 2]) for place in range(0, len(samples), 2)]


class SampleFile:
    """The samples in `file`, at most `most`."""

    def __init__(self, file: Path, header: Mapping[str, object], most: int = MOST) -> None:
        self._file, self._most = file, most
        self._header = json.dumps(header)
        self._kept: list[Sample] = []
        self._waiting: list[Sample] = []
        self._each = 1

    def add(self, sample: Sample) -> None:
        """Keep a sample. Raises `OSError` if the disk is full: then the file lacks it, until it is written anew."""
        self._waiting.append(sample)
        if len(self._waiting) < self._each:
            return
        new, self._waiting = merged(self._waiting), []
        self._kept.append(new)
        if len(self._kept) >= self._most:
            self._kept, self._each = halved(self._kept), self._each * 2
        elif len(self._kept) > 1:
            with self._file.open("a") as stream:
                stream.write(_line(new))
            return
        write_whole(self._file, f"{self._header}\n{''.join(map(_line, self._kept))}".encode())


class HostSamples:
    """Samples the host of `job` while the context of `taken` lasts.

    `usage` gives what its learners use, as last known; `traffic`, what has been moved, is the bucket container's.
    """

    def __init__(
        self,
        job: Job,
        traffic: Callable[[], Traffic | None],
        usage: Callable[[], Mapping[int, Usage]],
        gpus: GpuReadings,
    ) -> None:
        self._traffic, self._usage, self._gpus = traffic, usage, gpus
        header = {"version": 1, "host": job.name, "number": job.host, "units": UNITS}
        self._file = SampleFile(Path(CONTROL) / SAMPLES.format(job.host), header)
        self._before: Reading | None = None
        self._turn = threading.Lock()

    def taken(self) -> AbstractContextManager[None]:
        """Sample while the context lasts, in a thread of its own: the other container may not answer."""
        self._gpus.start()
        return repeating("host samples", self.take, EVERY, wait=False)

    def take(self) -> None:
        """Take one. Nothing depends on it: if the kernel does not say, or the disk is full, it is left out."""
        with self._turn, suppress(OSError, ValueError, LookupError):
            now = Reading(time.monotonic(), read_counters(HOST), self._traffic(), self._usage())
            if self._before and now.clock - self._before.clock < _LEAST_SECONDS:
                return
            before, self._before = self._before, now
            if before:
                self._file.add({"at": round(time.time(), 1), **sample_between(before, now, self._gpus.now())})


def put_samples(bucket: BucketClient, job: Job) -> None:
    """Store the host's samples, also those that an agent before a rescue took. Raises `NotStored`."""
    for file in sorted(Path(CONTROL).glob(SAMPLES.format("*"))):
        name = f"{RUN_FOLDER}/{file.name}"
        if not bucket.put(f"{job.run}/{name}", file.read_bytes()[:MOST_BYTES], short=False):
            raise NotStored(Reason.BUCKET_WRITE, f"{name} could not be stored")


def _line(sample: Sample) -> str:
    return json.dumps(sample, separators=(",", ":")) + "\n"

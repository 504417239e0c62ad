"""When a host of a run went through which stage, and how its clock stands to the operator's. Values, and a stopwatch.

What is prepared on a host before the start signal is timed by the operator's clock, what follows by the host's own: no
duration is a difference of two clocks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

LEASED = ("check", "lease", "image")
"""Stages of an allocation, by the operator's clock."""
PREPARED = ("agent", "files", "mounts", "learners")
"""Stages before the start signal, by the operator's clock."""
RAN = ("processing", "uploading", "verifying", "collecting")
"""Stages after it, by the host's own clock; the last one on learner 1's host only."""
STAGES = (*LEASED, *PREPARED, *RAN)


@dataclass(frozen=True)
class HostStage:
    """A stage of one host, from `start` to `end` (seconds since 1970) by one clock; `note`: such as `already there`."""

    name: str
    start: float
    end: float
    note: str = ""


@dataclass(frozen=True)
class ClockOffset:
    """How many seconds a clock is `ahead` of the operator's, give or take `error`."""

    ahead: float
    error: float


@dataclass(frozen=True)
class HostStages:
    """The stages of one host; its name is empty for the operator's machine.

    Attributes:
        operator_clock, host_clock: stages timed by the operator's clock, and by the host's own.
        offset: of the host's clock; None if it is not known.
    """

    host: str
    operator_clock: tuple[HostStage, ...] = ()
    host_clock: tuple[HostStage, ...] = ()
    offset: ClockOffset | None = None

    @property
    def ahead(self) -> float:
        """Seconds that its clock was ahead of the operator's; 0 if no difference is known beyond the error."""
        return self.offset.ahead if self.offset and abs(self.offset.ahead) > self.offset.error else 0.0


class Clock:
    """Seconds since 1970, from when it was made on: an adjustment of the system's clock changes no duration of it."""

    def __init__(self) -> None:
        self._lag = time.time() - _since_boot()

    def now(self) -> float:
        """The time."""
        return self._lag + _since_boot()


class Stopwatch:
    """Takes the times of one host's stages, in any thread."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._taken: list[HostStage] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """The stage lasts as long as the context, also if that fails."""
        start = self.clock.now()
        try:
            yield
        finally:
            self.add(name, start)

    def add(self, name: str, start: float, note: str = "") -> None:
        """A stage that began at `start` and ends now."""
        self._taken.append(HostStage(name, start, max(start, self.clock.now()), note))

    @property
    def taken(self) -> tuple[HostStage, ...]:
        """The stages so far, in the order in which they began."""
        return tuple(sorted(self._taken, key=lambda one: (one.start, one.end)))


def compared(sent: float, read: float, received: float) -> ClockOffset:
    """The offset of a clock that was `read` between `sent` and `received` by the operator's.

    As in NTP (RFC 5905, 8): half the time of the exchange is the largest error, however long each way took.
    """
    return ClockOffset(read - (sent + received) / 2, (received - sent) / 2)


def with_own(
    hosts: Sequence[str], prepared: Sequence[Mapping[str, Any]], own: Mapping[int, Sequence[HostStage]]
) -> list[dict[str, Any]]:
    """The stages of all hosts, as plain values.

    Args:
        hosts: the hosts' names.
        prepared: for each of them what the operator knew at the start signal; empty if it sent nothing.
        own: by the number of a host from 0, the stages that its agent timed.
    """
    found = list(prepared) if len(prepared) == len(hosts) else [asdict(HostStages(host)) for host in hosts]
    return [{**one, "host_clock": [asdict(stage) for stage in own.get(number, ())]} for number, one in enumerate(found)]


def _since_boot() -> float:
    """Also counts the time in which the machine was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)

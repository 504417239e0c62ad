"""The host's clock against this machine's. The fact script prints the time first and last."""

from __future__ import annotations

import re

from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding, fail, ok, skipped, warn
from toolkit.doctor.printed import Printed
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Topic

_CLOCK = re.compile(r"([0-9]{1,12})(\.[0-9]{1,9})?")
_HALF_A_SECOND = 0.5
_CLOCK_WARN, _CLOCK_FAIL = 2.0, 60.0


def read(printed: Printed) -> dict[str, object]:
    """By how much the host's clock is ahead.

    Computed as in NTP: equal delays on both ways cancel out, and so does the time in between.
    """
    begun, ended = _clock(printed.section("begin")), _clock(printed.section("end"))
    if begun is None or ended is None:
        return {"clock_offset": None}
    return {"clock_offset": ((begun - printed.asked) + (ended - printed.answered)) / 2}


def _clock(text: str) -> float | None:
    """Seconds since 1970; a clock that prints whole seconds is on average half a second further."""
    match = _CLOCK.match(text.strip())
    if not match:
        return None
    return float(match[0]) if match[2] else float(match[1]) + _HALF_A_SECOND


def clock(facts: HostFacts, _asked: Asked) -> Finding:
    """Against this machine's: S3 refuses signatures that are 15 minutes off, and logs are merged by time."""
    offset = facts.clock_offset
    if offset is None:
        return skipped(facts.name, "clock", "could not be determined")
    found = f"{abs(offset):.1f} s {'ahead of' if offset > 0 else 'behind'} this machine's"
    if abs(offset) > _CLOCK_FAIL:
        return fail(facts.name, "clock", found, "run chrony or systemd-timesyncd there and here")
    if abs(offset) > _CLOCK_WARN:
        return warn(facts.name, "clock", found, "run chrony or systemd-timesyncd there and here")
    return ok(facts.name, "clock", found)


TOPIC = Topic(read=read, before_launch={"clock": clock})

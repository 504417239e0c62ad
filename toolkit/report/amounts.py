"""Numbers as a person reads them. Pure."""

from __future__ import annotations

import datetime
import math

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def duration(seconds: float) -> str:
    """`0.4 s`, `12.3 s`, `4 min 12 s`, `3 h 05 min`, `2 d 03 h`."""
    if seconds < _MINUTE - 0.05:  # what rounds to 60.0 becomes a minute
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR:02} h"


def moment(at: float) -> str:
    """`2026-11-30 15:44:19 UTC`, for seconds since 1970."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def size(count: float) -> str:
    """Bytes in powers of 1000: `1.7 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 999.95:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def number(value: float) -> str:
    """At most four significant digits; counts in full."""
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "not a number")
    if value == int(value) and abs(value) < 1e7:
        return str(int(value))
    return f"{value:.4g}"


def amount(value: float, unit: str) -> str:
    """A measurement with its unit: `892.7 kB`, `12.3 MB/s`, `37 %`, `1.2 s`."""
    if not math.isfinite(value):
        return number(value)
    if unit in ("bytes", "bytes/s"):
        return size(value) + unit.removeprefix("bytes")
    if unit == "percent":
        return f"{value:.3g} %"
    if unit == "seconds":
        return f"{value * 1000:.3g} ms" if abs(value) < 1 else duration(value)
    return f"{number(value)} {unit}".rstrip()

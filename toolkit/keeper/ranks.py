"""What each rank's wrapper (`learner.rank.sh.j2`) left on this host: its exit status, and when it started and ended."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

NO_GPU = 69
"""EX_UNAVAILABLE of sysexits.h: a rank's status where its command was not started for lack of a GPU."""
_NAME = re.compile(r"\d{1,6}\.\d{1,6}")
_BYTES = 100


@dataclass(frozen=True)
class RankEnds:
    """By `step.rank`: `statuses`, and `times` of start and end (seconds since 1970) where the command was started.

    `without_gpu` are those whose command was not started, because they see fewer GPUs than they were given; `crowded`
    those that failed after their learner had met its limit of processes, with that limit.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    times: dict[str, tuple[float, float]] = field(default_factory=dict)
    without_gpu: tuple[str, ...] = ()
    crowded: dict[str, int] = field(default_factory=dict)


def read_ranks(folder: Path) -> RankEnds:
    """The ranks that ended on this host; what is no such file is left out, for the folder is the program's, too."""
    statuses, times, without = dict[str, int](), dict[str, tuple[float, float]](), list[str]()
    crowded = dict[str, int]()
    for name in sorted(_names(folder)):
        words = _content(folder / name).split()
        if not words or not words[0].isdigit() or int(words[0]) > 255:
            continue
        statuses[name] = int(words[0])
        if len(words) == 3 and (span := _span(words[1], words[2])):
            times[name] = span
        elif words[1:] == [b"gpu"]:
            without.append(name)
        elif len(words) == 3 and words[1] == b"processes" and words[2].isdigit():
            crowded[name] = int(words[2])
    return RankEnds(statuses, times, tuple(without), crowded)


def _names(folder: Path) -> Iterable[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if _NAME.fullmatch(entry.name)]
    except OSError:
        return ()


def _content(file: Path) -> bytes:
    """The first bytes of a file that is one: no link is followed, no pipe waited for."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _BYTES)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _span(start: bytes, end: bytes) -> tuple[float, float] | None:
    try:
        span = (float(start), float(end))
    except ValueError:
        return None
    return span if all(math.isfinite(one) and 0 < one < 1e11 for one in span) else None

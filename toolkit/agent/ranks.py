"""What each rank's wrapper (`learner.rank.sh.j2`) wrote on this host: exit status, start and end."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.agent.untrusted import Replacements, names_in, opened, opened_folder

NO_GPU = 69
"""EX_UNAVAILABLE of sysexits.h: a rank's status if its command was not started for lack of a GPU."""
_NAME = re.compile(r"\d{1,6}\.\d{1,6}")
_BYTES = 100
_MOST = 1 << 20
"""Maximum number of files: more ranks than any run has, each with some commands."""


@dataclass(frozen=True)
class RankEnds:
    """By `step.rank`: `statuses`, and `times` of start and end (seconds since 1970) if the command was started.

    `without_gpu` are those whose command was not started, because they see fewer GPUs than they were given; `crowded`
    those that failed after their learner had reached its limit of processes, with that limit.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    times: dict[str, tuple[float, float]] = field(default_factory=dict)
    without_gpu: tuple[str, ...] = ()
    crowded: dict[str, int] = field(default_factory=dict)


def read_ranks(folder: Path, found: Replacements) -> RankEnds:
    """The ranks that ended on this host. Anything else in their place is added to `found`."""
    statuses, times, without = dict[str, int](), dict[str, tuple[float, float]](), list[str]()
    crowded = dict[str, int]()
    names = list[str]()
    with found.noting(), opened_folder(folder.parent, folder.name) as above:
        names = sorted(names_in(above, _NAME, _MOST))
    for name in names:
        words = list[bytes]()
        with found.noting(), opened(folder.parent, f"{folder.name}/{name}") as file:
            words = os.read(file, _BYTES).split()
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


def _span(start: bytes, end: bytes) -> tuple[float, float] | None:
    try:
        span = (float(start), float(end))
    except ValueError:
        return None
    return span if all(math.isfinite(one) and 0 < one < 1e11 for one in span) else None

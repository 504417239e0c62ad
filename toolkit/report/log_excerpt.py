"""The end of a run's output, bounded in lines and characters. Pure over any iterable."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

from toolkit.report.model import LogExcerpt, LogLine
from toolkit.run.follow.events import Line

MOST_LINES = 2000
MOST_CHARACTERS = 200_000
"""Of all lines of a report; its HTML file stays below 1.5 MB."""
_LONGEST = 500
_RANK = re.compile(r"^\[([0-9]{1,7}|[0-9][0-9,-]{0,40}|learner-[0-9]{1,7}|mpirun|toolkit)\] ")


def excerpt(lines: Iterable[Line], runs: int = 1) -> LogExcerpt:
    """The last lines, as many as one of `runs` runs may have; reads all of them, and holds only these."""
    most, room = MOST_LINES // runs, MOST_CHARACTERS // runs
    kept: deque[LogLine] = deque()
    count = characters = 0
    for count, line in enumerate(lines, 1):  # noqa: B007 - how many there were
        kept.append(_log_line(line))
        characters += len(kept[-1].text)
        while len(kept) > most or characters > room:
            characters -= len(kept.popleft().text)
    return LogExcerpt(tuple(kept), count - len(kept))


def _log_line(line: Line) -> LogLine:
    match = _RANK.match(line.text)
    rank, text = (match[1], line.text[match.end() :]) if match else ("", line.text)
    cut = f"{text[:_LONGEST]} … ({len(text) - _LONGEST} characters more)" if len(text) > _LONGEST else text
    return LogLine(line.at, rank, cut)

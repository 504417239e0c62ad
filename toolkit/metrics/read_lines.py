"""Lines of a run's output as measurements: whose line it is, and which source knows its form. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from toolkit.metrics.collected import Collected
from toolkit.metrics.ddl_lines import DdlLines
from toolkit.metrics.keras_lines import KerasLines
from toolkit.metrics.plain_lines import PlainLines
from toolkit.metrics.regex_lines import Extractor, RegexLines
from toolkit.metrics.series import Point
from toolkit.metrics.source import LineSource

LONGEST = 2000
"""Characters of a line that are looked at: a program may print anything."""
MOST_SPEAKERS = 4096
_SPEAKER = re.compile(r"\[(?:(\d{1,6})|(learner-\d{1,6}))\] ")

LineSources = Sequence[Callable[[], LineSource]]
LINE_SOURCES: LineSources = (DdlLines, KerasLines, PlainLines)
"""Each makes one source, for one rank; the first that finds something in a line is believed."""


def line_sources(extractor: Extractor) -> LineSources:
    """Those of a run: what its manifest says comes first."""
    return (lambda: RegexLines(extractor), *LINE_SOURCES) if extractor.groups else LINE_SOURCES


class ReadLines:
    """Reads lines of a run's output into `collected`."""

    def __init__(self, collected: Collected, sources: LineSources = LINE_SOURCES) -> None:
        self._collected, self._sources = collected, sources
        self._speakers: dict[str, list[LineSource]] = {}

    def line(self, text: str, at: float) -> None:
        """Take one line, `[0] loss 0.5`, printed at `at` (seconds since 1970). The tool's own lines are no rank's."""
        match = _SPEAKER.match(text)
        if not match:
            return
        speaker = match[2] or f"rank {int(match[1])}"
        if speaker not in self._speakers:
            if len(self._speakers) >= MOST_SPEAKERS:
                return
            self._speakers[speaker] = [source() for source in self._sources]
        for source in self._speakers[speaker]:
            found = list(source.read(text[match.end() : match.end() + LONGEST]))
            for one in found:
                self._collected.add(speaker, one.name, one.unit, Point(at, one.value, one.step))
            if found:
                return

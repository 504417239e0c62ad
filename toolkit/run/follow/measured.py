"""A run's measurements, gathered from where they are: its output, event files, samples of its hosts, `metrics.json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from toolkit.metrics.collected import Collected
from toolkit.metrics.host_samples import read_samples
from toolkit.metrics.read_lines import ReadLines, line_sources
from toolkit.metrics.regex_lines import Extractor
from toolkit.metrics.series import Point, RunMetrics
from toolkit.metrics.tensorboard import host_of, scalars
from toolkit.run.follow.events import Line
from toolkit.run.records.record import Record
from toolkit.run.records.stored_run import StoredRun

_LOGS = "logs/"
"""LOG_DIR, below RESULT_DIR."""


def stored_metrics(record: Record, stored: StoredRun, extractor: Extractor) -> RunMetrics:
    """Of a run that has ended, from its bucket. Raises `ToolkitError` if that cannot be read."""
    ranks = Collected()
    for name, pieces in stored.event_files():
        _add_events(record, name, pieces, ranks)
    _add_final(record, ranks)
    return _gathered(ranks, stored.lines(), stored.samples(), extractor)


def live_metrics(lines: Iterable[Line], samples: Iterable[str], extractor: Extractor) -> RunMetrics:
    """Of a run that goes on: from its output so far, and the samples that each host's agent printed."""
    return _gathered(Collected(), lines, chain.from_iterable(text.split("\n") for text in samples), extractor)


def _gathered(ranks: Collected, lines: Iterable[Line], samples: Iterable[str], extractor: Extractor) -> RunMetrics:
    reader = ReadLines(ranks, line_sources(extractor))
    for line in lines:
        reader.line(line.text, line.at)
    hosts = Collected()
    read_samples(samples, hosts)
    return RunMetrics(ranks.series(), hosts.series())


def _add_events(record: Record, name: str, pieces: Iterator[bytes], ranks: Collected) -> None:
    """The scalars of an event file: `logs/train/events…` gives `train/loss`."""
    folder = name.removeprefix(_LOGS).rpartition("/")[0]
    source = _rank_on(record, host_of(name) or "")
    for one in scalars(pieces):
        ranks.add(source, f"{folder}/{one.tag}" if folder else one.tag, "", Point(one.at, one.value, one.step))


def _rank_on(record: Record, host: str) -> str:
    """`rank 1` for `learner-2` with that rank alone; its name where it has several, or is none of the run's."""
    for number, _, ranks in record.placement:
        if host == f"learner-{number}" and len(ranks) == 1:
            return f"rank {ranks[0]}"
    return host


def _add_final(record: Record, ranks: Collected) -> None:
    """What a program wrote into `metrics.json`, as one point at the run's end: `final.loss`."""
    at = record.states[-1][1] if record.states else 0.0
    for name, value in record.metrics.items():
        if isinstance(value, int | float):
            ranks.add("rank 0", f"final.{name}", "", Point(at, float(value)))

"""What two runs left, compared: end, files, metrics, weights; and the verdict. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from toolkit.run.comparison.conditions import Difference
from toolkit.run.comparison.weights import Followed
from toolkit.run.document.model import RunDocument

Metric = int | float | str
_WEIGHTS = "_run/weights.*.jsonl"
"""Compared step by step instead."""
_LOGS = ("learner-*/training-log.txt", "_run/*")
_TIMED = ("*events.out.tfevents.*", "fingerprint.pb", "*/fingerprint.pb")
"""TensorBoard's events have times, and their names too; a SavedModel's fingerprint has a random ID."""
KERAS = "*.keras"
"""A zip with the time at which it was saved."""


class Verdict(StrEnum):
    """How much two runs' results are the same."""

    IDENTICAL = "identical"
    WITHIN = "within the tolerance"
    DIFFERENT = "different"
    NOTHING = "nothing to compare"

    @property
    def same(self) -> bool:
        """Whether one run reproduces the other."""
        return self in (Verdict.IDENTICAL, Verdict.WITHIN)


@dataclass(frozen=True)
class FileDifference:
    """A result that is not the same: the SHA-256 in each run; empty if it is not there."""

    path: str
    first: str
    second: str

    def __str__(self) -> str:
        if self.first and self.second:
            return f"{self.path}: SHA-256 {self.first[:12]} → {self.second[:12]}"
        return f"{self.path}: only in the {'first' if self.first else 'second'} run"


@dataclass(frozen=True)
class MetricDifference:
    """A metric of both runs, None where it is missing. `relative` is the difference of two numbers relative to the
    larger one; None if they are not numbers."""

    name: str
    first: Metric | None
    second: Metric | None
    relative: float | None

    def within(self, tolerance: float) -> bool:
        """Whether they are equal, or numbers that differ by no more than `tolerance`."""
        return self.first == self.second or (self.relative is not None and self.relative <= tolerance)


@dataclass(frozen=True)
class Left:
    """What a run left: its record, SHA-256 by path of all its results, files without a checksum."""

    document: RunDocument
    files: Mapping[str, str]

    @property
    def disputed(self) -> Collection[str]:
        """Files that two hosts wrote differently."""
        return self.document.results.disputed


@dataclass(frozen=True)
class Comparison:
    """Two runs.

    Attributes:
        conditions: how they differ in what decides a result.
        ends: their final states.
        same_files: how many results are the same.
        files: the results that are not.
        apart: files that differ, but hold times or random IDs by their nature: they do not count.
        metrics: every metric of either.
        weights: by the number of a command, how far both trainings were compared, and where they part.
        notes: what could not be compared, and why.
    """

    first: str
    second: str
    verdict: Verdict
    tolerance: float
    conditions: tuple[Difference, ...]
    ends: tuple[str, str]
    same_files: int
    files: tuple[FileDifference, ...]
    apart: tuple[str, ...]
    metrics: tuple[MetricDifference, ...]
    weights: Mapping[int, Followed] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def compared(
    first: Left,
    second: Left,
    conditions: tuple[Difference, ...],
    weights: Mapping[int, Followed],
    *,
    same_archives: Collection[str] = (),
    tolerance: float = 0.0,
    notes: tuple[str, ...] = (),
) -> Comparison:
    """Compare what two runs left.

    Args:
        same_archives: Keras archives that differ, but whose weights are the same.
        tolerance: the largest relative difference of a metric that is accepted.
    """
    differing = list(differing_files(first, second))
    apart = sorted(one.path for one in differing if _is_apart(one.path) or one.path in same_archives)
    files = tuple(one for one in differing if one.path not in apart)
    results = [path for path in first.files if first.files[path] == second.files.get(path) and not _is_apart(path)]
    documents = first.document, second.document
    metrics = tuple(_metrics(documents[0].metrics, documents[1].metrics))
    ends = documents[0].end.state.value, documents[1].end.state.value
    parts = any(one.parting for one in weights.values())
    is_same = ends[0] == ends[1] and not files and not parts and all(one.within(0) for one in metrics)
    if not (results or files or metrics or weights):
        verdict = Verdict.NOTHING
    elif is_same:
        verdict = Verdict.IDENTICAL
    else:
        verdict = Verdict.WITHIN if _is_within(ends, files, metrics, tolerance) else Verdict.DIFFERENT
    found = (conditions, ends, len(results), files, tuple(apart), metrics, dict(weights), notes)
    return Comparison(documents[0].run.id, documents[1].run.id, verdict, tolerance, *found)


def differing_files(first: Left, second: Left) -> Iterator[FileDifference]:
    """Results that are not the same, except those without a checksum, and digests of weights."""
    without = {*first.disputed, *second.disputed}
    for path in sorted((first.files.keys() | second.files.keys()) - without):
        one, other = first.files.get(path, ""), second.files.get(path, "")
        if one != other and not fnmatch.fnmatchcase(path, _WEIGHTS):
            yield FileDifference(path, one, other)


def _is_within(
    ends: tuple[str, str], files: tuple[FileDifference, ...], metrics: tuple[MetricDifference, ...], tolerance: float
) -> bool:
    """Whether the same files are there, and every metric is within the tolerance: files may then differ."""
    there = all(one.first and one.second for one in files)
    close = bool(metrics) and all(one.within(tolerance) for one in metrics)
    return tolerance > 0 and ends[0] == ends[1] and there and close


def _is_apart(path: str) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in (*_LOGS, *_TIMED))


def _metrics(first: Mapping[str, Metric], second: Mapping[str, Metric]) -> Iterator[MetricDifference]:
    for name in sorted(first.keys() | second.keys()):
        one, other = first.get(name), second.get(name)
        yield MetricDifference(name, one, other, _relative(one, other))


def _relative(one: Metric | None, other: Metric | None) -> float | None:
    if isinstance(one, str | None) or isinstance(other, str | None):
        return None
    largest = max(abs(one), abs(other))
    return abs(one - other) / largest if largest else 0.0

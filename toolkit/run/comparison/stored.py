"""Reads what two stored runs left, as far as their comparison needs it."""

from __future__ import annotations

import fnmatch
import hashlib
import io
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from toolkit.agent.checksums import sha256_of
from toolkit.agent.paths import RUN_FOLDER
from toolkit.errors import ToolkitError
from toolkit.run.comparison.conditions import condition_differences, conditions_of
from toolkit.run.comparison.outcome import KERAS, Comparison, Left, compared, differing_files
from toolkit.run.comparison.weights import MAX_BYTES, Followed, followed, read_histories
from toolkit.run.document.find import FoundRecord
from toolkit.run.document.places import Place
from toolkit.run.document.verify import listed_sums

_MOST_ARCHIVE = 256 << 20
_MOST_ARCHIVES = 20
_WEIGHTS_IN_KERAS = "model.weights.h5"
_PIECE = 1 << 20


@dataclass(frozen=True)
class StoredResults:
    """A run's record, and where its results are."""

    found: FoundRecord
    place: Place

    def left(self) -> Left:
        """What it left, by the list of checksums if that is there, else as far as the record names it."""
        document = self.found.document
        with suppress(ToolkitError):  # its bucket is not ours, or is gone: then the record itself says what it can
            sums, wrong = listed_sums(self.place, self.found)
            if sums and not wrong:
                return Left(document, sums)
        return Left(document, {one.path: one.sha256 for one in document.results.files})

    def read(self, path: str, sha256: str, most: int) -> bytes | None:
        """A result that is as it was recorded; None if it is not there, too large, or was changed since."""
        try:
            data = self.place.read(path, most)
        except ToolkitError:
            return None
        return data if data is not None and sha256_of(data) == sha256 else None


def compare_stored(first: StoredResults, second: StoredResults, tolerance: float) -> Comparison:
    """Compare two runs by what is stored of them."""
    lefts = first.left(), second.left()
    notes = list[str]()
    weights = dict(_weights((first, second), lefts, notes))
    conditions = condition_differences(conditions_of(lefts[0].document), conditions_of(lefts[1].document))
    same = frozenset(_same_archives((first, second), lefts))
    return compared(
        *lefts, conditions, weights, same_archives=same, tolerance=tolerance, notes=(*notes, *_omitted(lefts))
    )


def _weights(
    runs: tuple[StoredResults, StoredResults], lefts: tuple[Left, Left], notes: list[str]
) -> Iterator[tuple[int, Followed]]:
    """For each command that left digests in both runs, how far they were compared; others are noted."""
    for command in lefts[0].document.commands:
        path = f"{RUN_FOLDER}/weights.{command.number}.jsonl"
        if not all(path in left.files for left in lefts):
            if any(path in left.files for left in lefts):
                notes.append(f"only one run has {path}")
            continue
        read = [run.read(path, left.files[path], MAX_BYTES) for run, left in zip(runs, lefts, strict=True)]
        if read[0] is None or read[1] is None:
            run = lefts[0 if read[0] is None else 1].document.run.id
            notes.append(f"weights were not compared: {path} of {run} is not there, or not as recorded")
            continue
        try:
            yield command.number, followed(command.number, read_histories(read[0]), read_histories(read[1]))
        except ValueError as error:
            notes.append(f"weights were not compared: {path}: {error}")


def _same_archives(runs: tuple[StoredResults, StoredResults], lefts: tuple[Left, Left]) -> Iterator[str]:
    """Keras archives that differ, but not in their weights."""
    other = [one for one in differing_files(*lefts) if fnmatch.fnmatchcase(one.path, KERAS)]
    for one in other[:_MOST_ARCHIVES]:
        if one.first and one.second:
            read = (runs[0].read(one.path, one.first, _MOST_ARCHIVE), runs[1].read(one.path, one.second, _MOST_ARCHIVE))
            digests = [_weights_in(data) for data in read if data is not None]
            if len(digests) == len(read) and digests[0] and digests[0] == digests[1]:
                yield one.path


def _weights_in(archive: bytes) -> str:
    """SHA-256 of the weights in a Keras archive; empty if it has none, or they are too large."""
    sha256, size = hashlib.sha256(), 0
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened, opened.open(_WEIGHTS_IN_KERAS) as stream:
            while piece := stream.read(_PIECE):
                size += len(piece)
                if size > 2 * _MOST_ARCHIVE:
                    return ""
                sha256.update(piece)
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, NotImplementedError, ValueError, EOFError):
        return ""
    return sha256.hexdigest()


def _omitted(lefts: tuple[Left, Left]) -> Iterator[str]:
    for left in lefts:
        results = left.document.results
        if results.omitted and len(left.files) <= len(results.files):
            run = left.document.run.id
            yield f"{run}: {results.omitted} results are only in its list of checksums, which is not there"

"""A run as stored in its bucket: the final record and all output, for when no agent is left."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from toolkit.agent.event_stream import parse_line
from toolkit.agent.paths import CONTROL_FOLDER, RECORD, RUN_FOLDER, SAMPLES
from toolkit.agent.signed import verified
from toolkit.errors import Code, ToolkitError
from toolkit.metrics.tensorboard import host_of
from toolkit.run.follow.events import Line
from toolkit.run.follow.reported import MAX_BYTES, hint_of, read_outcome
from toolkit.run.plan.code_listing import Listed, refuse_other_code
from toolkit.run.plan.source_files import MAX_BYTES as MAX_CODE_BYTES
from toolkit.run.plan.source_files import MAX_FILES as MAX_CODE_FILES
from toolkit.run.records.record import Record
from toolkit.storage.object_paths import file_names
from toolkit.storage.s3 import Store, StoredObject, refused_object

_MOST_HOSTS = 4096
_MOST_SAMPLES = 16 << 20
"""Bytes of a host's samples; its agent keeps less."""
_MOST_FILES, _MOST_EVENTS = 256, 1 << 30
"""TensorBoard's event files, and bytes of one."""
_MOST_LISTED = 200_000
_MAX_LINE = 1 << 20
"""Bytes of a line of output held in memory; a longer line is split into several."""


class StoredRun:
    """What `store` holds in `bucket` of the run that `record` describes here."""

    def __init__(self, store: Store, bucket: str, record: Record, key: str) -> None:
        """`key` is the run's, which authenticates its agents."""
        self._store, self._bucket, self._record, self._run_key = store, bucket, record, key
        self._folder = f"{record.training_id}/{RUN_FOLDER}"

    def record(self) -> Record | None:
        """The record with the outcome from the bucket; None if there is none yet.

        Raises `ToolkitError` (S302) if the store does not answer, or if no agent of the run wrote it as an outcome.
        """
        key = f"{CONTROL_FOLDER}/{self._record.training_id}/{RECORD}"
        if not any(item.key == key for item in self._store.objects(self._bucket, key)):
            return None
        try:
            stored = verified(self._store.read(self._bucket, key, MAX_BYTES), self._run_key, RECORD)
            outcome = read_outcome(json.dumps(stored), self._record)
            if not outcome.state.final:
                raise ValueError(f"state {outcome.state.value} is not final")
        except ValueError as error:
            raise refused_object(self._bucket, key, str(error)) from None
        ended = outcome.onto(self._record)
        return replace(ended, hint=hint_of(ended))

    def fetch_code(self, folder: Path, listing: Sequence[Listed] = ()) -> int:
        """Fetch the submitted code into `folder`, as `fetch_code` does."""
        return fetch_code(self._store, self._bucket, self._record.training_id, folder, listing)

    def samples(self) -> Iterator[str]:
        """The lines of the samples of all hosts, one host after the other; empty if none are stored."""
        prefix = f"{self._folder}/{SAMPLES.partition('{')[0]}"
        for item in islice(self._store.objects(self._bucket, prefix), _MOST_HOSTS):
            if item.size <= _MOST_SAMPLES:
                yield from (
                    self._store.read(self._bucket, item.key, _MOST_SAMPLES).decode("utf-8", "replace").split("\n")
                )

    def event_files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """TensorBoard's event files among the results, each with its name below the run's folder and its content in
        pieces; at most `_MOST_FILES`, none that is too large."""
        prefix = f"{self._record.training_id}/"
        there = islice(self._store.objects(self._bucket, prefix), _MOST_LISTED)
        found = (item for item in there if host_of(item.key) is not None and 0 < item.size <= _MOST_EVENTS)
        for item in islice(found, _MOST_FILES):
            yield item.key.removeprefix(prefix), self._store.pieces(self._bucket, item.key)

    def lines(self, offset: int = 0) -> Iterator[Line]:
        """The output from byte `offset` on; empty if none is stored."""
        rest, position = b"", offset
        try:
            for piece in self._store.pieces(self._bucket, f"{self._folder}/output.log", offset):
                *whole, rest = (rest + piece).split(b"\n")
                for line in whole:
                    position += len(line) + 1
                    yield _line(line, position)
                while len(rest) > _MAX_LINE:
                    line, rest = rest[:_MAX_LINE], rest[_MAX_LINE:]
                    position += len(line)
                    yield _line(line, position)
        except ToolkitError as error:
            if error.context.get("reason") not in ("absent", "NoSuchKey", "404", "InvalidRange", "416"):
                raise


def fetch_code(store: Store, bucket: str, run: str, folder: Path, listing: Sequence[Listed] = ()) -> int:
    """Fetch a run's submitted code into `folder`, which is empty or does not exist; returns the number of files, 0 if
    the bucket has none.

    `listing` is the operator's own, or the record's: differences in the bucket are named, and none of it is used.
    Without one, for a run that an earlier version launched, the bucket is trusted. Raises `ToolkitError`, also if an
    object could not be a file below the folder, or if there is more than code can be.
    """
    prefix = f"{run}/_submitted_code/"
    there = [(item.key.removeprefix(prefix), item) for item in _bounded(store, bucket, prefix)]
    listed, found = {file.name: file for file in listing}, dict[str, str]()
    if not there:
        return 0
    if listing:  # what was never submitted is refused below, and not fetched
        found = {name: "" for name, _ in there if name not in listed}
        there = [(name, item) for name, item in there if name in listed]
    for name, item in file_names(there):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        # The list has the SHA-256 of each file; a store's ETag may be no MD5, and this one was not examined for that.
        found[name] = store.get(bucket, item, file, lambda _: None, compare=not listing)
        if listing:
            file.chmod(0o755 if listed[name].executable else 0o644)
    if listing:
        refuse_other_code(run, listing, found)
    return len(found)


def _bounded(store: Store, bucket: str, prefix: str) -> Iterator[StoredObject]:
    """The objects of the code; raises `ToolkitError` (C102) if they exceed any submitted code."""
    total = 0
    for count, item in enumerate(store.objects(bucket, prefix), 1):
        total += item.size
        if count > MAX_CODE_FILES or total > MAX_CODE_BYTES:
            raise ToolkitError(
                Code.CODE, f"there is more in the bucket under {prefix} than any submitted code has; not fetched"
            )
        yield item


def _line(text: bytes, following: int) -> Line:
    event = parse_line(text, following)
    return Line(event["line"], event["at"], following)

"""Reads which checkpoints of a run are in its bucket: in its own folder, and in CHECKPOINT_DIR, which runs share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from toolkit.agent.checksums import plain
from toolkit.agent.paths import CHECKPOINTS
from toolkit.errors import ToolkitError
from toolkit.run.finish.digests import stored_digests
from toolkit.run.records.checkpoints import STATE, Checkpoint, Stored, find_checkpoints, may_be_checkpoint
from toolkit.run.records.record import Record, State
from toolkit.storage.s3 import Store

_MOST_STATES = 64
_STATE_BYTES = 64 << 10


def stored_checkpoints(store: Store, record: Record) -> list[Checkpoint]:
    """The run's checkpoints, by number. Raises `ToolkitError` if the bucket cannot be read."""
    digests = stored_digests(store, record)
    files = list(_files(store, record, digests))
    lists = [file.path for file in files if file.path.rpartition("/")[2] == STATE and file.size <= _STATE_BYTES]
    states = dict[str, bytes]()
    for path in lists[:_MOST_STATES]:
        with suppress(ToolkitError):  # it was replaced meanwhile, or is not readable: files show what is there
            states[path] = store.read(record.results_bucket, path, _STATE_BYTES)
    return find_checkpoints(files, states)


def _files(store: Store, record: Record, digests: Mapping[str, str]) -> Iterator[Stored]:
    """The run's own files, and those of CHECKPOINT_DIR that it wrote.

    Which these are, the run's list of checksums says; without one (the run has not ended), the time does.
    """
    run, wrote = record.training_id, {plain(key) for key in digests}
    queued = record.states[0][1] if record.states else 0.0
    began = next((at for state, at in record.states if state != State.QUEUED), queued)  # others write while it waits
    for item in store.objects(record.results_bucket, f"{run}/"):
        if may_be_checkpoint(item.key, run):
            yield Stored(item.key, item.size, item.time)
    for item in store.objects(record.results_bucket, f"{CHECKPOINTS}/"):
        if plain(item.key) in wrote if wrote else item.time >= began:
            yield Stored(item.key, item.size, item.time)

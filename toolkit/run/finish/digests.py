"""Checksums of the files that a run's programs wrote: a list in the bucket, whose SHA-256 is in the record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from toolkit.agent.checksums import MOST_BYTES, plain, sha256_of, write_list
from toolkit.agent.run_checksums import believed, list_of
from toolkit.errors import Code, Problem, ToolkitError
from toolkit.run.plan.code_listing import first_of
from toolkit.run.records.record import Record
from toolkit.storage.s3 import Store, refused_object


def stored_digests(store: Store, record: Record) -> dict[str, str]:
    """SHA-256 by key of what the run's programs wrote; empty if the record names no list.

    Raises `ToolkitError` (S302) that names the list if it is missing or not the one that the run's agent wrote.
    """
    if not record.checksums:
        return {}
    key = list_of(record.training_id)
    try:
        return believed(store.read(record.results_bucket, key, MOST_BYTES), record.checksums)
    except (ValueError, RecursionError) as error:
        why = str(error)
    except ToolkitError as error:
        if error.context.get("reason") not in ("NoSuchKey", "404", "absent"):
            raise
        why = "it is missing"
    hint = "without it the model cannot be verified: who may write to this bucket?"
    raise refused_object(record.results_bucket, key, why, hint)


def by_listed_key(digests: Mapping[str, str], listed: Iterable[str]) -> dict[str, str]:
    """The same, by the keys under which the store lists its objects: some stores list an object under another key."""
    keys = list(listed)
    missing = {plain(key): key for key in digests.keys() - set(keys)}
    names = {missing[plain(key)]: key for key in keys if key not in digests and plain(key) in missing}
    return {names.get(key, key): sha256 for key, sha256 in digests.items()}


def store_digests(store: Store, record: Record, lists: Iterable[Mapping[str, str]]) -> str:
    """Merge several lists, later ones taking precedence, and store the result; returns its SHA-256.

    Empty if there is nothing to list: the object in the bucket is left as it is, and is not trusted.
    """
    sums = {key: sha256 for one in lists for key, sha256 in one.items()}
    if not sums:
        return ""
    data = write_list(sums)
    store.write(record.results_bucket, list_of(record.training_id), data)
    return sha256_of(data)


def refuse_damaged(record: Record, wanted: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Raise `ToolkitError` (S302) that names each object that is missing, or differs from what was written.

    Args:
        wanted: SHA-256 by key of what had to be fetched, as the run's agent recorded it.
        found: the same for what was fetched; files that `wanted` does not have are skipped.
    """
    problems = [
        Problem(f"{key!r}: SHA-256 {sha256}, but {wanted[key]} was written")
        for key, sha256 in found.items()
        if wanted.get(key, sha256) != sha256
    ]
    problems += [Problem(f"{key!r}: missing") for key in wanted if key not in found]
    if not problems:
        return
    raise ToolkitError(
        Code.LOADING_DATA,
        f"{record.results_place} does not hold what {record.training_id} wrote; nothing was collected",
        first_of(problems),
        hint="an object that was damaged on the way comes whole when it is fetched again; one that was changed or "
        "removed in the bucket does not: who may write to it?",
        context={"reason": "damaged"},
    )

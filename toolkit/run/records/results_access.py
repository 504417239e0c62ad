"""Access to a run's bucket, with the keys of the manifest that it was launched with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.errors import Code, ToolkitError
from toolkit.image.tool_images import buckets_recipe
from toolkit.image.version import read_inputs
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.manifest.results import address_of, bucket_name, place_at
from toolkit.paths import home
from toolkit.run.follow.connect import results_host
from toolkit.run.plan.training_id import new_label
from toolkit.run.records.record import Record
from toolkit.run.records.record_store import run_key
from toolkit.run.records.stored_run import StoredRun
from toolkit.storage.examine import located
from toolkit.storage.open_storage import open_access
from toolkit.storage.s3 import Store


@contextmanager
def stored_run(record: Record, manifest: Manifest | None = None) -> Iterator[StoredRun]:
    """The run as its bucket has it, while the context lasts. Raises `ToolkitError` if the bucket cannot be read."""
    side_image = read_inputs(buckets_recipe()).reference
    label = new_label(record.training_id)
    manifest = manifest or manifest_of(record)
    with (
        results_host(record, manifest) as host,
        open_access(manifest, home(), side_image, label, host=host) as opened,
    ):
        access = located(opened["results"], record.results_bucket)
        yield StoredRun(Store(access), record.results_bucket, record, run_key(home(), record.training_id))


def manifest_of(record: Record) -> Manifest:
    """The manifest that was launched, for its keys; it must still name the same results. Raises `ToolkitError`."""
    manifest = read_manifest(Path(record.manifest_file))
    results, launched = manifest.training_results, record.results_place
    now = place_at(address_of(results), bucket_name(results))
    if now != launched:
        raise ToolkitError(
            Code.MANIFEST,
            f"{record.manifest_file} now names {now}; {record.training_id} wrote to {launched}",
            hint="restore the manifest that was launched",
        )
    return manifest

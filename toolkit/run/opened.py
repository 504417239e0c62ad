"""Opening a run's bucket again, by the manifest that it was launched with: for its keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.buckets.access import open_access
from toolkit.buckets.examine import located
from toolkit.buckets.store import Store
from toolkit.catalogue.version import read_inputs
from toolkit.errors import Code, ToolkitError
from toolkit.image.own import buckets_recipe
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.manifest.results import address_of, bucket_name, place_at
from toolkit.places import home
from toolkit.run.reach import results_host
from toolkit.run.record import Record
from toolkit.run.run_key import run_key
from toolkit.run.stored import StoredRun
from toolkit.run.training_id import new_label


@contextmanager
def stored_run(record: Record, manifest: Manifest | None = None) -> Iterator[StoredRun]:
    """The run as its bucket has it, while the context lasts. Raises `ToolkitError` where no one can look into it."""
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
    """The manifest that was launched, for its keys; it must still mean the same results. Raises `ToolkitError`."""
    manifest = read_manifest(Path(record.manifest_file))
    results, launched = manifest.training_results, record.results_place
    now = place_at(address_of(results), bucket_name(results))
    if now != launched:
        raise ToolkitError(
            Code.MANIFEST,
            f"{record.manifest_file} now names {now}; {record.training_id} wrote to {launched}",
            mend="restore the manifest that was launched",
        )
    return manifest

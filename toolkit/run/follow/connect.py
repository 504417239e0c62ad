"""From a record to the run's hosts, and with the keys of its manifest to its bucket: how a later session reconnects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from toolkit.cluster.model import Cluster
from toolkit.cluster.reader import read_cluster
from toolkit.containers.engine import LOCAL, Engine
from toolkit.errors import Code, ToolkitError
from toolkit.image.tool_images import buckets_reference
from toolkit.manifest.model import BucketReference, Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.manifest.results import address_of, bucket_name, place_at
from toolkit.paths import assets, home
from toolkit.run.launch.allocator import allocator_of
from toolkit.run.plan.training_id import new_label
from toolkit.run.records.record import Record
from toolkit.run.records.record_store import run_key
from toolkit.run.records.stored_run import StoredRun
from toolkit.storage.examine import located
from toolkit.storage.open_storage import open_access
from toolkit.storage.s3 import Store


def cluster_of(record: Record) -> Cluster:
    """The cluster that the run is on; raises `ToolkitError` (C104) if its file no longer lists the run's hosts."""
    if not record.hosts:
        return read_cluster(Path(record.cluster_file) if record.cluster_file else assets() / "clusters" / "local.yml")
    cluster = read_cluster(Path(record.cluster_file))
    missing = set(record.hosts) - {host.name for host in cluster.hosts}
    if cluster.hosts and missing:  # a scheduler's hosts are in no file
        raise ToolkitError(
            Code.RESOURCES_ASKED,
            f"{record.cluster_file} no longer lists {', '.join(sorted(missing))}, where {record.training_id} ran",
            hint="add the hosts to the cluster file again",
        )
    return cluster


@contextmanager
def results_host(record: Record, manifest: Manifest) -> Iterator[Engine]:
    """The engine of a host that has the results, if they are a folder on the run's hosts; else this machine's."""
    if isinstance(manifest.training_results, BucketReference):
        yield LOCAL
        return
    with reached(record) as engines:
        yield next(iter(engines.values()))


def reached(record: Record) -> AbstractContextManager[Mapping[str, Engine]]:
    """The engine of each of the run's hosts by its name, learner 1's first; connections open on first use."""
    return allocator_of(cluster_of(record)).connect(record.hosts) if record.hosts else nullcontext({"": LOCAL})


@contextmanager
def stored_run(record: Record, manifest: Manifest | None = None) -> Iterator[StoredRun]:
    """The run as its bucket has it, while the context lasts. Raises `ToolkitError` if the bucket cannot be read."""
    with results_store(record, manifest) as store:
        yield StoredRun(store, record.results_bucket, record, run_key(home(), record.training_id))


@contextmanager
def results_store(record: Record, manifest: Manifest | None = None) -> Iterator[Store]:
    """The store of the run's results, while the context lasts. Raises `ToolkitError` if the bucket cannot be read."""
    side_image = buckets_reference()
    label = new_label(record.training_id)
    manifest = manifest or manifest_of(record)
    with (
        results_host(record, manifest) as host,
        open_access(manifest, home(), side_image, label, host=host) as opened,
    ):
        yield Store(located(opened["results"], record.results_bucket))


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

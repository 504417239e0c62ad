"""From a record to the engines of the run's hosts: how a later session reconnects to a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from toolkit.cluster.model import Cluster
from toolkit.cluster.reader import read_cluster
from toolkit.containers.engine import LOCAL, Engine
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.model import BucketReference, Manifest
from toolkit.paths import assets
from toolkit.run.launch.allocator import allocator_of
from toolkit.run.records.record import Record


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


@contextmanager
def reached(record: Record) -> Iterator[Mapping[str, Engine]]:
    """The engine of each of the run's hosts by its name, learner 1's first; connections open on first use."""
    if not record.hosts:
        yield {"": LOCAL}
        return
    with allocator_of(cluster_of(record)).connect(record.hosts) as engines:
        yield engines

"""Whether a run's hosts can reach the embedded store, which runs on the operator's machine. Pure."""

from __future__ import annotations

from toolkit.cluster.model import Cluster
from toolkit.manifest.model import Manifest

OPERATOR_HINT = "set `operator: ADDRESS` in the cluster file: this machine's address as seen by the hosts"


def is_store_out_of_reach(manifest: Manifest, cluster: Cluster) -> bool:
    """Whether hosts need the embedded store, and the cluster file does not say at which address."""
    return manifest.uses_embedded_store and cluster.remote and not cluster.operator

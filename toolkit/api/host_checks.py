"""Check the hosts of a cluster, and what a manifest needs of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolkit.api.embedded_store import OPERATOR_HINT, is_store_out_of_reach
from toolkit.api.resolve import recipe_of
from toolkit.cluster.model import NO_GPU, Cluster
from toolkit.cluster.reader import read_cluster
from toolkit.compatibility.reader import read_table
from toolkit.doctor.examine import examine
from toolkit.doctor.finding import Finding, Verdict, counts, fail, ok
from toolkit.doctor.probes import Buckets
from toolkit.doctor.requirements import asked_of
from toolkit.errors import ToolkitError
from toolkit.hosts.cluster_hosts import Hosts
from toolkit.hosts.local import LocalShell
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_reference
from toolkit.image.version import read_inputs
from toolkit.manifest.model import BucketReference, Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets, home
from toolkit.storage.examine import differences_of, examined
from toolkit.storage.open_storage import Opened, open_access
from toolkit.storage.store_server import LOOPBACK

_HERE = LocalShell.name


@dataclass(frozen=True)
class Checkup:
    """Findings on a cluster's hosts, and the duration in seconds."""

    cluster: Cluster
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not counts(self.findings)[Verdict.FAIL]


def doctor(cluster: str | Path | None = None, manifest: str | Path | None = None) -> Checkup:
    """Check every host of a cluster (default: this machine), and the requirements of `manifest`.

    Raises:
        ToolkitError: if one of the files is invalid; what is wrong with a host is a finding.

    Example:
        >>> [found.hint for found in api.doctor("clusters/lab-p100.yml").findings]
    """
    read = read_cluster(Path(cluster) if cluster else assets() / "clusters" / "local.yml")
    wanted = read_manifest(Path(manifest)) if manifest else None
    asked = asked_of(read, read_table(assets() / "images"), wanted)
    side_image = buckets_reference()
    with Hosts(read) as hosts, _buckets(wanted, read, side_image) as (buckets, own, why):
        images = [*_images(read, wanted, manifest), side_image]
        found = examine(hosts, asked, images, buckets, why)
    return Checkup(read, (*own, *found.findings), found.seconds)


@contextmanager
def _buckets(
    manifest: Manifest | None, cluster: Cluster, side_image: str
) -> Iterator[tuple[Buckets | None, tuple[Finding, ...], str]]:
    """The buckets that hosts must reach, this machine's own findings on them, and why hosts need not check."""
    if manifest is None:
        yield None, (), "no manifest was given, so no bucket was checked"
        return
    if is_store_out_of_reach(manifest, cluster):
        what = "the embedded store runs on this machine, but the cluster file does not give its address"
        yield (
            None,
            (fail(_HERE, "bucket", what, OPERATOR_HINT),),
            "the embedded store has no address that hosts can reach",
        )
        return
    if manifest.uses_embedded_store:
        ImageStore().get(side_image)
    address = cluster.operator if cluster.remote else LOOPBACK
    names = {remote: reference.bucket for remote, reference in manifest.buckets.items()}
    with open_access(manifest, home(), side_image, f"doctor-{secrets.token_hex(4)}", address, None) as opened:
        own = _look_from_here(names, opened)
        folder = None if isinstance(manifest.training_results, BucketReference) else manifest.training_results
        yield Buckets(side_image, names, opened.remotes, folder), own, ""


def _look_from_here(names: dict[str, str], opened: Opened) -> tuple[Finding, ...]:
    """Whether the buckets exist, and how their store behaves: the answer is the same for all hosts."""
    found: list[Finding] = []
    for remote, bucket in names.items():
        try:
            opened.remotes[remote] = examined(opened[remote], bucket, write=remote == "results")
        except ToolkitError as error:
            said = error.evidence.strip().splitlines()
            found.append(fail(_HERE, "bucket", "; ".join([error.what, *said[-1:]]), error.hint))
        else:
            found.append(ok(_HERE, "bucket", f"{bucket} is reachable{differences_of(opened[remote])}"))
    return tuple(found)


def _images(cluster: Cluster, manifest: Manifest | None, file: str | Path | None) -> Sequence[str]:
    """The manifest's image, used for the GPU container check on hosts that have it."""
    if manifest is None or file is None or cluster.gpu == NO_GPU or manifest.compute.on_cpu:
        return ()
    return (read_inputs(recipe_of(manifest, Path(file))).reference,)

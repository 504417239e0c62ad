"""`toolkit doctor --cluster FILE [MANIFEST]`: every check on every host, and how to fix what is wrong."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from toolkit.cli.build import recipe_of
from toolkit.cli.output import SafeConsole, print_json
from toolkit.cluster.model import NO_GPU, Cluster
from toolkit.cluster.reader import read_cluster
from toolkit.compatibility.reader import read_table
from toolkit.doctor.examine import Examination, Examine
from toolkit.doctor.finding import Finding, Verdict, counts, fail, ok
from toolkit.doctor.probes import Buckets
from toolkit.doctor.report import report_lines, summary
from toolkit.doctor.requirements import asked_of
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.cluster_hosts import Hosts
from toolkit.hosts.local import LocalShell
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_recipe
from toolkit.image.version import read_inputs
from toolkit.manifest.model import BucketReference, Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.paths import home, house
from toolkit.storage.examine import differences_of, examined
from toolkit.storage.open_storage import Opened, open_access
from toolkit.storage.store_server import LOOPBACK

_COLOURS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red", Verdict.SKIPPED: "dim"}
_HERE = LocalShell.name


def run(arguments: argparse.Namespace) -> int:
    """Examine, tell; 3 where something failed."""
    cluster = read_cluster(Path(arguments.cluster) if arguments.cluster else house() / "clusters" / "local.yml")
    manifest = read_manifest(Path(arguments.manifest)) if arguments.manifest else None
    asked = asked_of(cluster, read_table(house() / "images"), manifest)
    side_image = read_inputs(buckets_recipe()).reference
    with Hosts(cluster) as hosts, _buckets(manifest, cluster, side_image) as (buckets, own, why):
        images = [*_images(cluster, manifest, arguments.manifest), side_image]
        found = Examine(hosts, asked, images, buckets, why).run()
    findings = (*own, *found.findings)
    if arguments.json:
        _tell_machines(cluster, found, findings)
    else:
        _tell(findings, len(cluster.hosts) or 1, verbose=arguments.verbose)
    return Code.RESOURCES.exit_status if counts(findings)[Verdict.FAIL] else 0


@contextmanager
def _buckets(
    manifest: Manifest | None, cluster: Cluster, side_image: str
) -> Iterator[tuple[Buckets | None, tuple[Finding, ...], str]]:
    """What hosts are to reach, what this machine found when it looked there itself, and why hosts need not try."""
    if manifest is None:
        yield None, (), "no manifest was given, so there is no bucket to try"
        return
    embedded = any(reference.connection.is_embedded for reference in manifest.buckets.values())
    if embedded and cluster.remote and not cluster.operator:
        hint = "`operator: ADDRESS` in the cluster's file, this machine's address as the hosts see it"
        what = "the embedded store runs on this machine, and the cluster's file does not say where hosts reach it"
        yield None, (fail(_HERE, "bucket", what, hint),), "the embedded store has no address that hosts could reach"
        return
    if embedded:
        ImageStore().get(side_image)
    address = cluster.operator if cluster.remote else LOOPBACK
    names = {remote: reference.bucket for remote, reference in manifest.buckets.items()}
    with open_access(manifest, home(), side_image, f"doctor-{secrets.token_hex(4)}", address, None) as opened:
        own = _look_from_here(names, opened)
        folder = None if isinstance(manifest.training_results, BucketReference) else manifest.training_results
        yield Buckets(side_image, names, opened.remotes, folder), own, ""


def _look_from_here(names: dict[str, str], opened: Opened) -> tuple[Finding, ...]:
    """Whether the buckets are there, and what their store wants and does: one answer holds for all hosts."""
    found: list[Finding] = []
    for remote, bucket in names.items():
        try:
            opened.remotes[remote] = examined(opened[remote], bucket, write=remote == "results")
        except ToolkitError as error:
            said = error.evidence.strip().splitlines()
            found.append(fail(_HERE, "bucket", "; ".join([error.what, *said[-1:]]), error.hint))
        else:
            found.append(ok(_HERE, "bucket", f"{bucket} answers{differences_of(opened[remote])}"))
    return tuple(found)


def _images(cluster: Cluster, manifest: Manifest | None, file: str | None) -> Sequence[str]:
    """The image that the manifest would run in: one to start with GPUs, where a host has it."""
    if manifest is None or file is None or cluster.gpu == NO_GPU or manifest.compute.on_cpu:
        return ()
    return (read_inputs(recipe_of(manifest, Path(file))).reference,)


def _tell(findings: Sequence[Finding], hosts: int, *, verbose: bool) -> None:
    screen = SafeConsole()
    for line, verdict in report_lines(findings, verbose=verbose):
        style = _COLOURS[verdict] if verdict else ""
        screen.print(Text(line, style=style), soft_wrap=True)
    screen.print(Text(summary(findings, hosts), style="bold"), soft_wrap=True)


def _tell_machines(cluster: Cluster, found: Examination, findings: Sequence[Finding]) -> None:
    print_json(
        {
            "cluster": cluster.name,
            "seconds": round(found.seconds, 2),
            "counts": dict(counts(findings)),
            "findings": [asdict(finding) for finding in findings],
        }
    )

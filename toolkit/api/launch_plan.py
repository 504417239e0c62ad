"""What a launch would do, without doing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolkit.api.orders import Files, Order, here, open_mpi_of, read_order, run_image
from toolkit.cluster.model import NO_GPU, UNBOUND, Cluster
from toolkit.cluster.pick import pick_hosts
from toolkit.errors import ToolkitError
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_recipe
from toolkit.image.version import read_inputs
from toolkit.manifest.model import Manifest
from toolkit.progress import Report, silent
from toolkit.run.launch.this_machine import look_at_cores
from toolkit.run.plan.dry_run import CPUS
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.run_plan import RankCpus, RunImage, RunPlan, Seat
from toolkit.run.plan.source_files import SubmittedCode
from toolkit.run.plan.training_id import new_training_id

_NOT_BUILT = "not built here; the variables that it sets are not in the lines below"


@dataclass(frozen=True)
class PlannedLaunch:
    """The plan of a launch and the code that it would submit; `image_note` says what is not known of the image."""

    plan: RunPlan
    code: SubmittedCode
    image: str
    image_note: str = ""


def plan_launch(
    manifest: str | Path,
    *,
    cluster: str | Path | None = None,
    code: str | Path | None = None,
    report: Report = silent,
) -> PlannedLaunch:
    """Read what a launch reads, and plan what it would plan. Nothing is started or connected to; nothing need be built.

    Raises:
        ToolkitError: where one of the files is wrong, or the cluster has no hosts that fit.

    Example:
        >>> [one.ranks for one in api.plan_launch("manifest.yml", cluster="cluster.yml").plan.learners]
    """
    files = Files(Path(manifest), Path(cluster) if cluster else None, Path(code) if code else None)
    order = read_order(files, report)
    image, note = _image(order)
    side_image = read_inputs(buckets_recipe()).reference
    seats = _seats(order.cluster, order.manifest)
    plan = make_plan(order.manifest, order.cluster, image, side_image, new_training_id(), seats)
    return PlannedLaunch(plan, order.code, order.reference, note)


def _image(order: Order) -> tuple[RunImage, str]:
    """The image, and what is to be said of it; it need not be built, nor an engine be there."""
    reference = order.reference
    unbuilt = RunImage(reference, reference, (), open_mpi_of(order.recipe))
    try:
        found = ImageStore().find(reference)
    except ToolkitError as error:
        return unbuilt, f"{error.what}; {_NOT_BUILT}"
    return (run_image(order.recipe, reference, found), "") if found else (unbuilt, _NOT_BUILT)


def _seats(cluster: Cluster, manifest: Manifest) -> tuple[Seat, ...]:
    """The first hosts of the file that fit; which of them are free, and their addresses, only a launch asks."""
    compute = manifest.compute
    if cluster.engine == "local":
        return here(look_at_cores, cluster, compute)
    hosts = pick_hosts(cluster, compute.kind, compute.ranks_per_node, compute.nodes)
    count = 0 if cluster.gpu == NO_GPU else compute.gpus_per_node
    gpus = tuple(f"GPU{number}" for number in range(count))
    cpus = RankCpus(() if cluster.binding == UNBOUND else (CPUS,) * compute.ranks_per_node)
    return tuple(Seat(host.name, host.address or host.name, gpus=gpus, cpus=cpus) for host in hosts)

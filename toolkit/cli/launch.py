"""`toolkit launch MANIFEST`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from toolkit.atomic_file import write_output
from toolkit.catalogue.choose import CPU, CUDA
from toolkit.catalogue.model import DistributionBase, Recipe
from toolkit.cli.build import recipe_of, report_notes
from toolkit.cli.manifest_output import read_and_report
from toolkit.cli.output import console, print_json, progress_bar
from toolkit.cli.run_output import Screen, report_end
from toolkit.cluster.model import NO_GPU, Cluster
from toolkit.cluster.reader import read_cluster
from toolkit.errors import Code, ToolkitError
from toolkit.image.store import ImageStore, StoredImage
from toolkit.image.tool_images import buckets_recipe
from toolkit.image.version import read_inputs
from toolkit.manifest.model import Compute, Manifest
from toolkit.paths import home, house
from toolkit.run.follow.agent_client import AgentClient
from toolkit.run.follow.follow import Detached, Watch, Watched
from toolkit.run.launch.allocator import AllocationRequest, allocator_of
from toolkit.run.launch.launch import Launch, Request
from toolkit.run.plan.code_secrets import known_to
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.run_plan import RunImage
from toolkit.run.plan.source_files import SubmittedCode, read_code, read_submitted
from toolkit.run.plan.training_id import TrainingId, new_training_id
from toolkit.run.records.record import Record
from toolkit.run.records.record_store import Records
from toolkit.run.records.results_access import stored_run
from toolkit.storage.embedded_server import remove_store


@dataclass(frozen=True)
class Order:
    """What is to be launched: every file that the words name, read; nothing is started yet."""

    manifest: Manifest
    manifest_file: Path
    cluster: Cluster
    code: SubmittedCode
    image: RunImage
    side_image: str
    cluster_file: Path | None = None


def run(arguments: argparse.Namespace) -> int:
    """Read, take the hosts, plan, show the plan, bring it on its way, watch it."""
    if arguments.dry_run:
        from toolkit.cli import launch_dry_run

        return launch_dry_run.run(arguments)
    return launch(read_order(arguments), arguments)


def launch(order: Order, arguments: argparse.Namespace) -> int:
    """Take the hosts, plan, show the plan, bring the run on its way, watch it."""
    training_id = new_training_id()
    if arguments.id_file:
        write_output(Path(arguments.id_file), f"{training_id}\n".encode())
    with ready(order, training_id, wait=arguments.wait) as request:
        screen = Screen(request.plan.ranks, request.plan, order.code, lines_to_stderr=arguments.json, raw=arguments.raw)
        record = Launch(request, screen).run()
        if arguments.detach:
            return detached(record, as_json=arguments.json)
        clients = {host: AgentClient(engine, training_id) for host, engine in request.engines.items()}
        watched = Watched(record, clients, partial(stored_run, record, order.manifest), order.cluster.deadlines.lost)
        try:
            record = Watch(watched, Records(home()), screen).run()
        except Detached:
            return detached(record, as_json=arguments.json)
    if not record.kept:  # hosts that are lost to us may still be storing
        remove_store(training_id)
    return report_end(record, as_json=arguments.json)


def detached(record: Record, *, as_json: bool) -> int:
    """The run goes on without us."""
    if as_json:
        print_json(asdict(record))
    run = record.training_id
    console.print(f"{run} goes on by itself\nnext: toolkit logs -f {run}, toolkit stop {run}", soft_wrap=True)
    return 0


def read_order(arguments: argparse.Namespace, *, submitted: bool = False) -> Order:
    """Every file that the words name; raises `ToolkitError` where one is wrong, or an image is not built.

    `submitted`: the code is a run's own, fetched and compared, and is taken as it is.
    """
    manifest_file = Path(arguments.manifest)
    manifest = read_and_report(manifest_file)
    cluster = read_cluster(Path(arguments.cluster) if arguments.cluster else house() / "clusters" / "local.yml")
    refuse_unreachable_store(manifest, cluster)
    code_folder = Path(arguments.code) if arguments.code else manifest_file.parent
    flavour = flavour_on(cluster, manifest.compute)
    recipe = recipe_of(manifest, manifest_file, code_folder, flavour, report_notes)
    cluster_file = Path(arguments.cluster) if arguments.cluster else None
    code = (
        read_submitted(code_folder)
        if submitted
        else code_of(code_folder, manifest, manifest_file, cluster, cluster_file)
    )
    store = ImageStore()
    side_image = read_inputs(buckets_recipe()).reference
    store.get(side_image)
    reference = read_inputs(recipe).reference
    there = store.find(reference)
    if there is None:
        building = f"toolkit build {manifest_file}" + (f" --flavour {flavour}" if flavour != CPU else "")
        raise ToolkitError(Code.IMAGE, f"image {reference} is not here", hint=building)
    image = run_image(recipe, reference, there)
    return Order(manifest, manifest_file, cluster, code, image, side_image, cluster_file)


def flavour_on(cluster: Cluster, compute: Compute) -> str:
    """The image's flavour: for GPUs where they are asked for and the cluster has some."""
    return CPU if compute.on_cpu or cluster.gpu == NO_GPU else CUDA


def code_of(
    folder: Path, manifest: Manifest, manifest_file: Path, cluster: Cluster, cluster_file: Path | None
) -> SubmittedCode:
    """The code in `folder`, without the files and the keys that manifest and cluster name."""
    known = known_to(manifest, manifest_file, cluster, os.environ, home())
    return read_code(folder, manifest_file, known, (cluster_file,) if cluster_file else ())


def refuse_unreachable_store(manifest: Manifest, cluster: Cluster) -> None:
    """Raise `ToolkitError` (C104) where the embedded store would have no address that the cluster's hosts can reach."""
    embedded = any(reference.connection.is_embedded for reference in manifest.buckets.values())
    if embedded and cluster.remote and not cluster.operator:
        raise ToolkitError(
            Code.RESOURCES_ASKED,
            f"the embedded store runs on this machine, and cluster {cluster.name} does not say where hosts reach it",
            hint="`operator: ADDRESS` in the cluster's file, this machine's address as the hosts see it",
        )


@contextmanager
def ready(order: Order, training_id: TrainingId, *, wait: bool) -> Iterator[Request]:
    """The run planned, on hosts that are its own while the context lasts."""
    manifest, cluster = order.manifest, order.cluster
    wanted = AllocationRequest(manifest, order.image, order.side_image, training_id, wait)
    with ExitStack() as stack:
        with progress_bar(beside=True) as report:
            allocation = stack.enter_context(allocator_of(cluster).allocate(wanted, report))
        for note in allocation.notes:
            console.print(note, style="yellow", soft_wrap=True)
        where = (allocation.placements, allocation.ssh_port, allocation.master_port)
        plan = make_plan(manifest, cluster, order.image, order.side_image, training_id, *where)
        yield Request(
            manifest,
            plan,
            order.manifest_file,
            order.code,
            home(),
            house() / "templates",
            engines=allocation.engines,
            cluster_file=order.cluster_file,
            leases=allocation.leases,
            confirm=allocation.confirm,
            hand_over=allocation.hand_over,
        )


def run_image(recipe: Recipe, reference: str, image: StoredImage) -> RunImage:
    """The image as a run needs to know it."""
    return RunImage(reference, image.image_id, image.environment, open_mpi_of(recipe))


def open_mpi_of(recipe: Recipe) -> str:
    """The version of Open MPI in an image; what a registry's base brings is not known: 4's words are used."""
    return recipe.base.suite.open_mpi if isinstance(recipe.base, DistributionBase) else "4"

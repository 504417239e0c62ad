"""`toolkit launch MANIFEST`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.text import Text

from toolkit.buckets.side import Flush
from toolkit.catalogue.model import DistributionBase, Recipe
from toolkit.catalogue.version import read_inputs
from toolkit.cli.build import recipe_of
from toolkit.cli.manifest_words import read_and_tell
from toolkit.cli.screen import console, human_size, print_json, progress_bar, rank_line
from toolkit.cluster.model import NO_GPU, Cluster
from toolkit.cluster.reader import read_cluster
from toolkit.errors import Code, ToolkitError
from toolkit.image.own import buckets_recipe
from toolkit.image.store import ImageStore, StoredImage
from toolkit.manifest.model import Manifest
from toolkit.places import home, house
from toolkit.run.code import read_code
from toolkit.run.launch import Launch, Request
from toolkit.run.plan import RunImage, RunPlan, counted, make_plan, new_training_id
from toolkit.run.record import Record, State


@dataclass(frozen=True)
class Order:
    """What is to be launched: every file that the words name, read; nothing is started yet."""

    manifest: Manifest
    manifest_file: Path
    cluster: Cluster
    code_folder: Path
    code: tuple[tuple[str, Path], ...]
    image: RunImage
    side_image: str


def run(arguments: argparse.Namespace) -> int:
    """Read, take the hosts, plan, show the plan, carry it out."""
    if arguments.dry_run:
        from toolkit.cli import launch_dry_run

        return launch_dry_run.run(arguments)
    order, training_id = read_order(arguments), new_training_id()
    if arguments.id_file:
        Path(arguments.id_file).write_text(f"{training_id}\n")
    with ready(order, training_id, wait=arguments.wait) as request:
        record = Launch(request, Screen(request.plan, lines_to_stderr=arguments.json)).run()
    if arguments.json:
        print_json(asdict(record))
    console.print(
        f"{record.training_id} {record.state.value}: {record.stored_files} files, {human_size(record.stored_bytes)}, "
        f"in bucket {record.results_bucket}\nnext: toolkit collect {record.training_id}",
        soft_wrap=True,
    )
    return 0


def read_order(arguments: argparse.Namespace) -> Order:
    """Every file that the words name; raises `ToolkitError` where one is wrong, or an image is not built."""
    manifest_file = Path(arguments.manifest)
    manifest = read_and_tell(manifest_file)
    cluster = read_cluster(Path(arguments.cluster) if arguments.cluster else house() / "clusters" / "local.yml")
    refuse_unreachable_store(manifest, cluster)
    code_folder = Path(arguments.code) if arguments.code else manifest_file.parent
    flavour = "cpu" if cluster.gpu == NO_GPU else "cuda"
    recipe = recipe_of(manifest, manifest_file, code_folder, flavour)
    code = read_code(code_folder, manifest_file)
    store = ImageStore()
    side_image = read_inputs(buckets_recipe()).reference
    store.get(side_image)
    reference = read_inputs(recipe).reference
    there = store.find(reference)
    if there is None:
        building = f"toolkit build {manifest_file}" + (f" --flavour {flavour}" if flavour != "cpu" else "")
        raise ToolkitError(Code.IMAGE, f"image {reference} is not here", mend=building)
    image = run_image(recipe, reference, there)
    return Order(manifest, manifest_file, cluster, code_folder, code, image, side_image)


def refuse_unreachable_store(manifest: Manifest, cluster: Cluster) -> None:
    """Raise `ToolkitError` (C104) where the embedded store would have no address that the cluster's hosts can reach."""
    embedded = any(reference.connection.is_embedded for reference in manifest.buckets.values())
    if embedded and cluster.engine == "ssh" and not cluster.operator:
        raise ToolkitError(
            Code.RESOURCES_ASKED,
            f"the embedded store runs on this machine, and cluster {cluster.name} does not say where hosts reach it",
            mend="`operator: ADDRESS` in the cluster's file, this machine's address as the hosts see it",
        )


@contextmanager
def ready(order: Order, training_id: str, *, wait: bool) -> Iterator[Request]:
    """The run planned, on hosts that are its own while the context lasts; on this machine there is nothing to take."""
    manifest, cluster = order.manifest, order.cluster
    rest = (order.manifest_file, order.code_folder, order.code, home(), house() / "templates")
    if cluster.engine == "local":
        plan = make_plan(manifest, cluster, order.image, order.side_image, training_id)
        yield Request(manifest, plan, *rest)
        return
    from toolkit.run.boarding import Boarding

    with Boarding(cluster, manifest, training_id) as boarding:
        with progress_bar(beside=True) as report:
            boarded = boarding.go_aboard(order.image, order.side_image, report, wait=wait)
        for note in boarded.notes:
            console.print(note, style="yellow", soft_wrap=True)
        seats = (boarded.seats, boarded.ssh_port)
        plan = make_plan(manifest, cluster, order.image, order.side_image, training_id, *seats)
        yield Request(manifest, plan, *rest, engines=boarded.engines)


def run_image(recipe: Recipe, reference: str, image: StoredImage) -> RunImage:
    """The image as a run needs to know it."""
    return RunImage(reference, image.image_id, image.environment, open_mpi_of(recipe))


def open_mpi_of(recipe: Recipe) -> str:
    """The version of Open MPI in an image; what a registry's base brings is not known: 4's words are used."""
    return recipe.base.suite.open_mpi if isinstance(recipe.base, DistributionBase) else "4"


def show_plan(plan: RunPlan) -> None:
    """What will run where, before it does."""
    console.print(f"{plan.training_id}  {plan.name}", style="bold", soft_wrap=True)
    console.print(f"  image    {plan.image.reference}", soft_wrap=True)
    for learner in plan.learners:
        at = f" on {learner.seat.host} ({learner.seat.address})" if learner.seat.host else ""
        gpus = f", GPU {', '.join(learner.seat.gpus)}" if learner.seat.gpus else ""
        ranks = ", ".join(map(str, learner.ranks))
        console.print(f"  {learner.hostname}{at}  rank {ranks}{gpus}", soft_wrap=True)
    for step in plan.steps:
        how = f"on {counted(plan.ranks, 'rank')}" if step.parallel else "once, on learner 1"
        console.print(f"  command {step.number}, {how}: {step.command}", soft_wrap=True)
    if plan.cluster.gpu == "none":
        console.print(
            f"  cluster {plan.cluster.name} has no GPU: each rank runs on the CPU in place of one {plan.gpu_kind}",
            style="yellow",
            soft_wrap=True,
        )


class Screen:
    """The run as it is seen on a terminal."""

    def __init__(self, plan: RunPlan, *, lines_to_stderr: bool) -> None:
        self._plan = plan
        self._to_stderr = lines_to_stderr
        self._flush: Flush | None = None

    def state(self, record: Record, note: str) -> None:
        """One line for each state; the plan with the first, once keys and buckets are known to be good."""
        if record.state is State.PENDING:
            show_plan(self._plan)
        colour = {State.COMPLETED: "green", State.FAILED: "red", State.HALTED: "yellow"}.get(record.state, "blue")
        console.print(Text.assemble((f"{record.state.value:<12}", colour), note), soft_wrap=True)

    def line(self, text: str) -> None:
        """A rank's line: on standard output, so that it can be piped; coloured on a terminal."""
        if sys.stdout.isatty() and not self._to_stderr:
            console.print(rank_line(text), soft_wrap=True)
        else:
            print(text, file=sys.stderr if self._to_stderr else sys.stdout, flush=True)

    def note(self, text: str) -> None:
        """A line of the tool's own, apart from the ranks'."""
        console.print(text, style="yellow", soft_wrap=True)

    def storing(self, flush: Flush) -> None:
        """What is still on its way, told when it changes."""
        if flush != self._flush and not flush.settled:
            self._flush = flush
            waiting = f"{flush.queued} files wait, {flush.uploading} on their way"
            console.print(f"  {waiting}{f', {flush.errored} failed and are tried again' if flush.errored else ''}")

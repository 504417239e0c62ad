"""Launching runs."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from toolkit.api.orders import Order, built_images, read_order
from toolkit.atomic_file import write_output
from toolkit.errors import Code, ToolkitError
from toolkit.paths import assets, home
from toolkit.progress import Progress, Report, silent
from toolkit.run.follow.agent_client import AgentClient
from toolkit.run.follow.connect import stored_run
from toolkit.run.follow.follow import Detached, Watch, Watched
from toolkit.run.follow.view import SilentView, View
from toolkit.run.launch.allocator import AllocationRequest, allocator_of
from toolkit.run.launch.errors import raise_for
from toolkit.run.launch.launch import Launch, Request
from toolkit.run.plan.code_listing import load_listing
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.run_plan import RunImage
from toolkit.run.plan.training_id import TrainingId, new_training_id
from toolkit.run.records.reconcile import refreshed
from toolkit.run.records.record import Record, State
from toolkit.run.records.record_store import Records
from toolkit.storage.client import load_boto3
from toolkit.storage.embedded_server import remove_store


def launch(
    manifest: str | Path,
    *,
    cluster: str | Path | None = None,
    code: str | Path | None = None,
    deterministic: bool = False,
    wait: bool = False,
    follow: bool = True,
    id_file: str | Path | None = None,
    report: Report = silent,
    view: View | None = None,
) -> Record:
    """Run a manifest's commands on a cluster and store the results.

    Args:
        cluster: the cluster file (default: this machine).
        code: the folder of the code to submit (default: the manifest's).
        deterministic: set the variables that make the framework's operations deterministic, unless the manifest does.
        wait: wait until hosts of the cluster are free.
        follow: return when the run has ended; else as soon as it has been submitted.
        id_file: gets the training ID before anything starts.
        report: gets progress and notes until the run is planned.
        view: gets the run's plan, states and output, and decides on Ctrl-C (default: shows nothing, stops the run).

    Returns:
        The run's record: COMPLETED or HALTED; not final if it continues (`follow=False`, or the view detached).

    Raises:
        ToolkitError: if the run cannot start, or FAILED; its code says whose fault it is.
        KeyboardInterrupt: interrupted before the run was submitted; nothing of it is left.

    Example:
        >>> api.launch("manifest.yml", cluster="cluster.yml", wait=True).state
    """
    order = read_order(manifest, cluster, code, report, deterministic=deterministic)
    return start(order, built_images(order), wait=wait, follow=follow, id_file=id_file, report=report, view=view)


def launch_again(
    training_id: str,
    *,
    resume: bool = False,
    cluster: str | Path | None = None,
    wait: bool = False,
    follow: bool = True,
    id_file: str | Path | None = None,
    report: Report = silent,
    view: View | None = None,
) -> Record:
    """Launch a run again with the same manifest, image and submitted code.

    With `resume` the new run starts from the old one's checkpoints. `cluster` defaults to where it ran; the rest is as
    for `launch`.

    Raises:
        ToolkitError: C102 if the code in the bucket is not what was submitted, S103 if the manifest now asks for
            another image, else as `launch`.

    Example:
        >>> api.launch_again("training-9itkb8gw", resume=True).training_id
    """
    records = Records(home())
    own = records.find(training_id)  # its code digest must not come from the bucket
    record = refreshed(own, records)
    if record.checkpoint:
        what = f"{record.training_id} did not train: it ran on {record.checkpoint} of {record.resumed_from}"
        hint = f"toolkit collect {record.resumed_from} --checkpoint {record.checkpoint}"
        raise ToolkitError(Code.MANIFEST, what, hint=hint)
    if resume and not record.final:
        raise ToolkitError(
            Code.MANIFEST, f"{record.training_id} is still running", hint=f"toolkit stop {record.training_id}"
        )
    with submitted_code(record, own.code_digest) as code:
        where, again = cluster or record.cluster_file, record.deterministic
        order = read_order(record.manifest_file, where, code, report, code_of=record.training_id, deterministic=again)
        images = same_images(order, record)
        report(Progress("launch", note=f"repeating {record.training_id} with its submitted code"))
        source = record.training_id if resume else record.resumed_from
        order = replace(order, manifest=replace(order.manifest, resume=source))
        return start(order, images, wait=wait, follow=follow, id_file=id_file, report=report, view=view)


def same_images(order: Order, record: Record) -> tuple[RunImage, str]:
    """The images for a repetition of the run of `record`. Raises `ToolkitError` (S103) if it ran in another one."""
    images = built_images(order)
    if images[0].image_id != record.image_id:
        what = f"{record.training_id} ran in {record.image}, but its manifest now requires {images[0].reference}"
        hint = f"toolkit launch {record.manifest_file} runs it in the new image"
        raise ToolkitError(Code.IMAGE, what, hint=hint)
    return images


def start(
    order: Order,
    images: tuple[RunImage, str],
    *,
    wait: bool,
    follow: bool,
    id_file: str | Path | None,
    report: Report,
    view: View | None,
    training_id: TrainingId | None = None,
) -> Record:
    """Allocate hosts, plan, submit the run (by default with a new ID), follow it."""
    asked_at, training_id = time.time(), training_id or new_training_id()
    if id_file:
        write_output(Path(id_file), f"{training_id}\n".encode())
    view = view or SilentView()
    # boto3 is needed to check the buckets: it is imported while the engine is busy with what comes before.
    threading.Thread(target=load_boto3, name="boto3", daemon=True).start()
    with _ready(order, images, training_id, asked_at, report, wait=wait) as request:
        record = Launch(request, view).run()
        if not follow:
            return record
        clients = {host: AgentClient(engine, training_id) for host, engine in request.engines.items()}
        watched = Watched(record, clients, partial(stored_run, record, order.manifest), order.cluster.deadlines.lost)
        try:
            record = Watch(watched, Records(home()), view).run()
        except Detached:
            return record
    if not record.kept:  # hosts that we lost may still be uploading
        remove_store(training_id)
    raise_for(record)
    return record


@contextmanager
def _ready(
    order: Order, images: tuple[RunImage, str], training_id: TrainingId, asked_at: float, report: Report, *, wait: bool
) -> Iterator[Request]:
    """The planned run, on hosts that are its own while the context lasts."""
    manifest, cluster = order.manifest, order.cluster
    image, side_image = images
    wanted = AllocationRequest(manifest, image, side_image, training_id, wait)
    with allocator_of(cluster).allocate(wanted, report) as allocation:
        for note in allocation.notes:
            report(Progress("hosts", note=note))
        where = (allocation.placements, allocation.ssh_port, allocation.master_port)
        plan = make_plan(manifest, cluster, image, side_image, training_id, *where)
        yield Request(
            manifest,
            replace(plan, reproduces=order.reproduces, deterministic=order.deterministic),
            order.files.manifest,
            order.code,
            home(),
            assets() / "templates",
            engines=allocation.engines,
            cluster_file=order.files.cluster,
            facts=allocation.facts,
            leases=allocation.leases,
            confirm=allocation.confirm,
            hand_over=allocation.hand_over,
            checkpoint=order.checkpoint,
            stages=allocation.stages,
            asked_at=asked_at,
        )


@contextmanager
def submitted_code(record: Record, digest: str) -> Iterator[Path]:
    """The run's submitted code from its bucket, in a temporary folder.

    Raises `ToolkitError` (C102) naming what differs from the run's own list, whose digest is `digest`.
    """
    listing = load_listing(home(), record.training_id, digest)
    with tempfile.TemporaryDirectory(prefix="toolkit-code-") as folder, stored_run(record) as stored:
        code = Path(folder)
        if not stored.fetch_code(code, listing):
            raise ToolkitError(
                Code.CODE,
                f"the bucket has no submitted code of {record.training_id}"
                + ("" if record.reached(State.PROCESSING) else ": the run did not start, and left nothing"),
                hint=f"toolkit launch {record.manifest_file} uses the code that is beside it now",
            )
        yield code

"""The checkpoints that runs wrote, and runs of the later commands on one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from toolkit.api.launches import same_images, start, submitted_code
from toolkit.api.orders import read_order
from toolkit.api.records import find_run
from toolkit.api.runs import follow
from toolkit.errors import Code, ToolkitError
from toolkit.paths import home
from toolkit.progress import Progress, Report, silent
from toolkit.run import in_container
from toolkit.run.finish.stored_checkpoints import stored_checkpoints
from toolkit.run.follow.connect import results_store
from toolkit.run.follow.view import View
from toolkit.run.plan.checkpoint_run import PLAN, PROGRAM, manifest_on, plan_text, with_number
from toolkit.run.plan.training_id import new_training_id
from toolkit.run.records.checkpoints import Checkpoint, choose
from toolkit.run.records.reconcile import refreshed
from toolkit.run.records.record import Record, State
from toolkit.run.records.record_store import Records

_PROGRAM = Path(in_container.__file__).parent / "take_checkpoint.py"
_LARGEST_PROGRAM = 1 << 20


def list_checkpoints(run: str | Record) -> list[Checkpoint]:
    """The checkpoints that a run wrote into RESULT_DIR and CHECKPOINT_DIR, by number; also while it runs.

    They are recognised by their names: TensorFlow's (`NAME.index` with `NAME.data-…`), Keras's (`.keras`, `.h5`) and
    PyTorch's (`.pt`, `.pth`).

    Raises:
        ToolkitError: C101 if there is no such run, C103 or S302 if its bucket cannot be read.

    Example:
        >>> [one.number for one in api.list_checkpoints("training-9itkb8gw") if not one.fault]
    """
    record = run if isinstance(run, Record) else find_run(run)
    with results_store(record) as store:
        return stored_checkpoints(store, record)


def run_checkpoint(
    run: str,
    checkpoint: str,
    *,
    cluster: str | Path | None = None,
    wait: bool = False,
    report: Report = silent,
    view: View | None = None,
) -> Record:
    """Run the manifest's later commands, all but the training, on a checkpoint of an earlier run.

    It is a run of its own, with the same image and submitted code, on one host if its commands need no more. If there
    is one for this checkpoint already that ended well, or is still active, that is used.

    Args:
        checkpoint: its number, or its path, from the bucket's or the run's folder on.
        cluster: the cluster file (default: where the training ran).
        wait, report, view: as for `launch`.

    Returns:
        The record of the new run, to be collected: COMPLETED or HALTED; not final if the view detached.

    Raises:
        ToolkitError: C101 if there is no such complete checkpoint, or no later command; else as `launch_again`.

    Example:
        >>> api.run_checkpoint("training-9itkb8gw", "20").training_id
    """
    records = Records(home())
    own = records.find(run)  # its code digest must not come from the bucket
    record = refreshed(own, records)
    if not record.final:
        what = f"{record.training_id} is still running"
        raise ToolkitError(Code.MANIFEST, what, hint=f"toolkit stop {record.training_id}")
    found = list_checkpoints(record)
    chosen = choose(found, checkpoint, record.training_id)
    if earlier := _earlier(record, chosen, records):
        report(Progress("launch", note=f"{earlier.training_id} ran on {chosen.path} already"))
        return earlier if earlier.final else follow(earlier, view=view)
    training_id = new_training_id()
    with submitted_code(record, own.code_digest) as code:
        _add(code, record, chosen, found, report)
        order = read_order(
            record.manifest_file,
            cluster or record.cluster_file,
            code,
            report,
            code_of=record.training_id,
            deterministic=record.deterministic,
        )
        images = same_images(order, record)
        manifest = manifest_on(order.manifest, record, chosen, training_id)
        report(Progress("launch", note=f"running the later commands of {record.training_id} on {chosen.path}"))
        order = replace(order, manifest=manifest, checkpoint=chosen.path)
        return start(
            order, images, wait=wait, follow=True, id_file=None, report=report, view=view, training_id=training_id
        )


def _earlier(record: Record, chosen: Checkpoint, records: Records) -> Record | None:
    """The newest run on this checkpoint that did not fail, and was not made from a record, maybe with differences."""
    same = [one for one in records.all() if (one.resumed_from, one.checkpoint) == (record.training_id, chosen.path)]
    current = (refreshed(one, records) for one in same if not one.reproduces)
    return next((one for one in current if not one.final or one.state is State.COMPLETED), None)


def _add(code: Path, record: Record, chosen: Checkpoint, found: Sequence[Checkpoint], report: Report) -> None:
    """Add the first command's files to the code, and set the constants by which programs choose a checkpoint."""
    (code / PROGRAM).write_bytes(_PROGRAM.read_bytes())
    (code / PLAN).write_text(plan_text(record, chosen, found), "utf-8")
    if chosen.number is None:
        return
    for file in sorted(code.rglob("*.py")):
        if file.stat().st_size > _LARGEST_PROGRAM:
            continue
        changed = with_number(file.read_bytes(), chosen.number)
        if changed.lines:
            file.write_bytes(changed.text)
        for number, line in changed.lines:
            where = f"{file.relative_to(code)}:{number}"
            report(Progress("launch", note=f"{where}: {line}: the number is {chosen.number} in this run"))

"""A run launched again: the same manifest and image, the very code that was submitted then."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from toolkit.cli import launch
from toolkit.cli.output import console
from toolkit.errors import Code, ToolkitError
from toolkit.paths import home
from toolkit.run.plan.code_listing import load_listing
from toolkit.run.records.reconcile import refreshed
from toolkit.run.records.record import Record
from toolkit.run.records.record_store import Records
from toolkit.run.records.results_access import stored_run


def run_again(arguments: argparse.Namespace, *, resume: bool) -> int:
    """Launch the run anew; with `resume`, it gets the folder of the old one's results."""
    records = Records(home())
    own = records.find(arguments.training_id)  # what a bucket says of a run is not asked for its code
    record = refreshed(own, records)
    if resume and not record.final:
        raise ToolkitError(Code.MANIFEST, f"{record.training_id} goes on", hint=f"toolkit stop {record.training_id}")
    with submitted_code(record, own.code_digest) as code:
        arguments.dry_run = False
        arguments.manifest, arguments.code = record.manifest_file, str(code)
        arguments.cluster = arguments.cluster or record.cluster_file or None
        order = launch.read_order(arguments, submitted=True)
        if order.image.image_id != record.image_id:
            raise ToolkitError(
                Code.IMAGE,
                f"{record.training_id} ran in {record.image}, and its manifest now asks for {order.image.reference}",
                hint=f"toolkit launch {record.manifest_file} runs it in the new one",
            )
        console.print(f"{record.training_id} again, with the code that was submitted then", soft_wrap=True)
        goes_on_from = record.training_id if resume else record.resumed_from
        order = replace(order, manifest=replace(order.manifest, resume=goes_on_from))
        return launch.launch(order, arguments)


@contextmanager
def submitted_code(record: Record, digest: str) -> Iterator[Path]:
    """The code as the run was given it, from its bucket, in a folder that goes afterwards.

    Raises `ToolkitError` (C102) naming what is not what the run's own list, whose digest is `digest`, says.
    """
    listing = load_listing(home(), record.training_id, digest)
    with tempfile.TemporaryDirectory(prefix="toolkit-code-") as folder, stored_run(record) as stored:
        code = Path(folder)
        if not stored.fetch_code(code, listing):
            raise ToolkitError(
                Code.CODE,
                f"the bucket has no submitted code of {record.training_id}",
                hint=f"toolkit launch {record.manifest_file} takes the code that lies beside it now",
            )
        yield code

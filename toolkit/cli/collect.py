"""`toolkit collect TRAINING_ID`."""

from __future__ import annotations

import argparse
from pathlib import Path

from toolkit.cli.output import console, human_size, print_json, progress_bar
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_recipe
from toolkit.image.version import read_inputs
from toolkit.paths import home
from toolkit.progress import Progress
from toolkit.run.finish.collect import Collection, with_result
from toolkit.run.records.reconcile import refreshed
from toolkit.run.records.record_store import Records
from toolkit.run.records.results_access import manifest_of

_MOST = 20
"""Files without a checksum that are named."""


def run(arguments: argparse.Namespace) -> int:
    """Fetch the model of a run and check it."""
    records = Records(home())
    record = refreshed(records.find(arguments.training_id), records)
    manifest = manifest_of(record)
    side_image = read_inputs(buckets_recipe()).reference
    store = ImageStore()
    for image in (side_image, record.image_id):
        store.get(image)
    with progress_bar() as report:

        def on_progress(what: str, done: int, total: int) -> None:
            report(Progress("collecting", what, done, total, "bytes"))

        target = Path(arguments.to)
        collected = Collection(record, manifest, home(), target, side_image, on_progress).run()
    records.save(with_result(record, collected))
    if arguments.json:
        facts = {"folder": str(collected.folder), "files": collected.files, "bytes": collected.size}
        facts |= {"signatures": collected.signatures, "metrics": collected.metrics, "missing": list(collected.missing)}
        facts |= {"unchecked": list(collected.unchecked)}
        print_json(facts)
    for path in collected.missing:
        console.print(f"not collected: the run wrote no {path}", style="yellow", soft_wrap=True)
    for path in collected.unchecked[:_MOST]:
        console.print(f"no checksum of the run's: {path}", style="yellow", soft_wrap=True)
    if more := collected.unchecked[_MOST:]:
        console.print(f"no checksum of the run's: {len(more)} files more", style="yellow", soft_wrap=True)
    if collected.said:
        console.print(collected.said, soft_wrap=True)
    console.print(f"{collected.folder}  {collected.files} files, {human_size(collected.size)}", soft_wrap=True)
    signatures = ", ".join(sorted(collected.signatures))
    held = "checksums hold" if not collected.unchecked else "checksums hold where there are any"
    console.print(f"{held}; loaded in {record.image}; signatures that answer: {signatures}", soft_wrap=True)
    return 0

"""Collect models."""

from __future__ import annotations

from pathlib import Path

from toolkit.api.records import find_run
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_reference
from toolkit.paths import home
from toolkit.progress import Progress, Report, silent
from toolkit.run.finish.collect import Collected, Collection, with_result
from toolkit.run.follow.connect import manifest_of
from toolkit.run.records.record import Record
from toolkit.run.records.record_store import Records


def collect(run: str | Record, *, to: str | Path = "models", report: Report = silent) -> Collected:
    """Download a run's model to its own folder in `to`, verify checksums, load it in the image that trained it.

    A model that is already there and complete is not downloaded again.

    Raises:
        ToolkitError: C202 if the model fails its check, S302 if a byte is not what the run wrote.

    Example:
        >>> api.collect("training-9itkb8gw", to="models").folder
    """
    record = run if isinstance(run, Record) else find_run(run)
    manifest = manifest_of(record)
    side_image = buckets_reference()
    store = ImageStore()
    for image in (side_image, record.image_id):
        store.get(image)

    def on_progress(what: str, done: int, total: int) -> None:
        report(Progress("collecting", what, done, total, "bytes"))

    collected = Collection(record, manifest, home(), Path(to), side_image, on_progress).run()
    Records(home()).save(with_result(record, collected))
    return collected

"""Collect models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolkit.api.records import find_run
from toolkit.errors import Code, ToolkitError
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_reference
from toolkit.paths import home
from toolkit.progress import Progress, Report, silent
from toolkit.run.finish.collect import Collected, Collection, with_result
from toolkit.run.follow.connect import manifest_of
from toolkit.run.records.record import Record
from toolkit.run.records.record_store import Records


def collect(
    run: str | Record, *, to: str | Path = "models", what: Sequence[str] = ("model",), report: Report = silent
) -> Collected:
    """Download a run's model to its own folder in `to`, verify checksums, load it in the image that trained it.

    Files that are already there and right are not downloaded again, also those that an interrupted collection brought.

    Args:
        what: `model` (with what the manifest lists in `collect`), `all` that the run stored, or patterns in gitignore's
            syntax over the paths in the run's folder, such as `*.h5`. Only `model` requires a model.

    Raises:
        ToolkitError: C202 if there is no complete model or it fails its check, S302 if a byte is not what the run
            wrote, C101 if a pattern matches nothing.

    Example:
        >>> api.collect("training-9itkb8gw", to="models").folder
    """
    record = run if isinstance(run, Record) else find_run(run)
    manifest = manifest_of(record)
    side_image = buckets_reference()
    store = ImageStore()
    store.get(side_image)

    def on_progress(what: str, done: int, total: int) -> None:
        report(Progress("collecting", what, done, total, "bytes"))

    collection = Collection(record, manifest, home(), Path(to), side_image, on_progress, what)
    if collection.loads_model:
        store.get(record.image_id)
    try:
        collected = collection.run()
    except BaseException as error:
        if note := note_of_interrupted(error, collection.kept):
            report(Progress("collecting", note=note))
        raise
    Records(home()).save(with_result(record, collected))
    return collected


def note_of_interrupted(error: BaseException, kept: Path | None) -> str:
    """What a person should know of what arrived in `kept` before `error`; empty if there is nothing to continue.

    If the bucket's code is not what was submitted, the same command would be refused again.
    """
    if kept is None or (isinstance(error, ToolkitError) and error.code is Code.CODE):
        return ""
    return f"what arrived is kept in {kept}; the same command continues with it"

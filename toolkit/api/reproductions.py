"""Running a recorded run again and comparing the two; comparing any two runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.agent.checksums import MOST_BYTES, SUMS
from toolkit.agent.paths import RUN_FOLDER
from toolkit.api.builds import build_both, build_recipe
from toolkit.api.checked import row_of
from toolkit.api.launches import start
from toolkit.api.orders import Order, built_images
from toolkit.api.recorded_orders import Asked, Prepared, Recorded, own_record, prepared
from toolkit.api.records import find_run
from toolkit.api.run_records import read_record
from toolkit.errors import Code, Problem, ToolkitError
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_recipe, buckets_reference
from toolkit.manifest.reader import read_manifest
from toolkit.progress import Progress, Report, silent
from toolkit.run.comparison.conditions import Difference
from toolkit.run.comparison.outcome import Comparison
from toolkit.run.comparison.stored import StoredResults, compare_stored
from toolkit.run.document.find import in_place, names_a_file
from toolkit.run.document.places import InBucket, InFolder
from toolkit.run.follow.connect import results_store
from toolkit.run.follow.view import View
from toolkit.run.plan.checkpoint_run import manifest_again
from toolkit.run.plan.code_listing import first_of
from toolkit.run.plan.run_plan import RunImage
from toolkit.run.plan.training_id import TrainingId, new_training_id
from toolkit.run.records.record import Record, State
from toolkit.validation.model import TOOL_IMAGE

_MOST_NAMED = 100


@dataclass(frozen=True)
class Check:
    """What is here, compared with what was recorded of a run: every difference; none if it can be reproduced."""

    run: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Reproduced:
    """A run, launched to reproduce another.

    Attributes:
        differences: from what was recorded, accepted before it was launched.
        comparison: with the other run; None if it has not ended, or was stopped.
    """

    record: Record
    differences: tuple[Difference, ...]
    comparison: Comparison | None


def compare_runs(first: str | Path, second: str | Path, *, tolerance: float = 0.0) -> Comparison:
    """Compare what two runs ran with and what they left. Nothing is run.

    Args:
        first, second: a training ID, or a record's file: its results are beside it (an exported crate, a copy of the
            run's folder), or in its bucket if it was launched from here.
        tolerance: the largest relative difference of a metric that is accepted.

    Raises:
        ToolkitError: C101 if there is no such run or file, S302 if a bucket has no record, C202 if it is none, or not
            what this machine recorded of its run.

    Example:
        >>> api.compare_runs("training-9itkb8gw", "crate/record.json").verdict
    """
    with ExitStack() as stack:
        runs = [stack.enter_context(_results(run)) for run in (first, second)]
        return compare_stored(runs[0], runs[1], tolerance)


def check_reproduction(
    run: str | Path,
    *,
    manifest: str | Path | None = None,
    cluster: str | Path | None = None,
    code: str | Path | None = None,
    deterministic: bool = False,
    report: Report = silent,
) -> Check:
    """Compare what is here with what was recorded of a run: manifest, ranks, code, image, data. Nothing is run.

    Args:
        run: a training ID, or a record's file, also of a run that was launched elsewhere.
        manifest: the manifest (default: the recorded one).
        cluster: the cluster file (default: the run's own, if it was launched from here; else this machine).
        code: a folder with the recorded code (default: beside the record's file, or in the run's bucket).
        deterministic: as for `launch`; a difference, unless the run was launched so.

    Raises:
        ToolkitError: as `read_record`; C102 if the code is not there, or the bucket's is not the recorded one; C103
            for keys; S103 if the image that mounts buckets is not here.

    Example:
        >>> api.check_reproduction("record.json", code="examples/mnist").differences
    """
    with prepared(_asked(run, manifest, cluster, code, deterministic=deterministic), report) as found:
        if found.order and ImageStore().find(found.order.reference) is None:
            note = f"image {found.order.reference} is not here: it is built first, and its ID must be the recorded one"
            report(Progress("reproduce", note=note))
        return Check(found.recorded.found.document.run.id, found.differences)


def reproduce(
    run: str | Path,
    *,
    manifest: str | Path | None = None,
    cluster: str | Path | None = None,
    code: str | Path | None = None,
    deterministic: bool = False,
    accept_differences: bool = False,
    tolerance: float = 0.0,
    wait: bool = False,
    follow: bool = True,
    id_file: str | Path | None = None,
    report: Report = silent,
    view: View | None = None,
) -> Reproduced:
    """Run a recorded run again, from its record, and compare what both left.

    An image that is not here is built. Nothing is launched if something is not as recorded, unless
    `accept_differences`. The other arguments are those of `check_reproduction`, `compare_runs` and `launch`.

    Raises:
        ToolkitError: C104 that names every difference, S103 if the built image has another ID; else as
            `check_reproduction` and `launch`.

    Example:
        >>> api.reproduce("record.json", tolerance=0.01).comparison.verdict
    """
    _build_buckets_image(report)
    with prepared(_asked(run, manifest, cluster, code, deterministic=deterministic), report) as found:
        if found.refused and accept_differences:
            raise found.refused
        if found.order is None or (found.differences and not accept_differences):
            raise _refused(found)
        images = _images(found.order, found.recorded, report, accept=accept_differences)
        training_id = found.recorded.found.document.run.id
        report(Progress("launch", note=f"reproducing {training_id} with its recorded manifest and code"))
        new_id = new_training_id()
        order = _as(new_id, found.order, training_id)
        words: dict[str, Any] = {"wait": wait, "follow": follow, "id_file": id_file, "training_id": new_id}
        launched = start(order, images, **words, report=report, view=view)
        if launched.state is not State.COMPLETED:
            return Reproduced(launched, found.differences, None)
    with _original(found.recorded, str(run), launched) as first, _results(launched.training_id) as second:
        return Reproduced(launched, found.differences, compare_stored(first, second, tolerance))


def _asked(
    run: str | Path,
    manifest: str | Path | None,
    cluster: str | Path | None,
    code: str | Path | None,
    *,
    deterministic: bool,
) -> Asked:
    files = [Path(one) if one else None for one in (manifest, cluster, code)]
    return Asked(str(run), files[0], files[1], files[2], deterministic)


def _refused(found: Prepared) -> ToolkitError:
    return ToolkitError(
        Code.RESOURCES_ASKED,
        f"what is here is not what {found.recorded.found.document.run.id} ran with: nothing was launched",
        first_of([Problem(str(one)) for one in found.differences], _MOST_NAMED),
        hint=(found.refused.hint if found.refused else "")
        or "make it the same again, or add --accept-differences to run with what is here",
    )


def _as(new_id: TrainingId, order: Order, run: TrainingId) -> Order:
    """The launch of `new_id`, which reproduces `run`: of one on a checkpoint, the variables name its own folder."""
    manifest, checkpoint = manifest_again(order.manifest, run, new_id)
    return replace(order, manifest=manifest, checkpoint=checkpoint)


def _build_buckets_image(report: Report) -> None:
    """Build the image that mounts buckets, unless it is here."""
    if ImageStore().find(buckets_reference()) is None:
        try:
            build_recipe(buckets_recipe(), TOOL_IMAGE, "classic", report)
        except ToolkitError as error:
            raise _or_loaded(error, buckets_reference()) from None


def _images(order: Order, recorded: Recorded, report: Report, *, accept: bool) -> tuple[RunImage, str]:
    """The run's images, built if they are not here. Raises `ToolkitError` (S103) if the ID is not the recorded one."""
    if ImageStore().find(order.reference) is None:
        try:
            build_both(order.recipe, row_of(order.manifest, order.files.manifest, order.flavour), "classic", report)
        except ToolkitError as error:
            raise _or_loaded(error, order.reference) from None
    images = built_images(order)
    image = recorded.found.document.image
    if images[0].reference == image.reference and images[0].image_id != image.id and not accept:
        what = f"{image.reference} is {images[0].image_id} here, but {image.id} is recorded"
        raise ToolkitError(Code.IMAGE, what, hint=f"toolkit images verify {image.reference}")
    return images


def _or_loaded(error: ToolkitError, image: str) -> ToolkitError:
    """Why an image cannot be built here, with how else it comes here."""
    other = f"bring it from a machine that has it: `toolkit save {image} -o FILE` there, `toolkit load FILE` here"
    error.hint = f"{error.hint}; or {other}" if error.hint else other
    return error


@contextmanager
def _results(run: str | Path) -> Iterator[StoredResults]:
    """A run's record and results: beside the record's file, or in the run's bucket."""
    if names_a_file(str(run)):
        found = read_record(run)
        own = own_record(found)
        if own is None or _has_results(run):
            yield StoredResults(found, InFolder(Path(run).absolute().parent))
            return
        with results_store(own) as store:
            yield StoredResults(found, InBucket(store, own.results_bucket, own.training_id))
        return
    own = find_run(str(run))
    if not own.final:
        hint = f"toolkit logs -f {own.training_id}"
        raise ToolkitError(Code.MANIFEST, f"{own.training_id} has not ended", hint=hint)
    with results_store(own) as store:
        place = InBucket(store, own.results_bucket, own.training_id)
        found = in_place(place, own.training_id)
        own_record(found)
        yield StoredResults(found, place)


@contextmanager
def _original(recorded: Recorded, run: str, launched: Record) -> Iterator[StoredResults]:
    """The results of the run that was reproduced: as `_results`, else in the bucket of the run that reproduces it."""
    if recorded.own or (names_a_file(run) and _has_results(run)):
        with _results(run) as found:
            yield found
        return
    manifest = read_manifest(recorded.manifest)
    with results_store(launched, manifest) as store:
        place = InBucket(store, launched.results_bucket, recorded.found.document.run.id)
        yield StoredResults(recorded.found, place)


def _has_results(record: str | Path) -> bool:
    """Whether results are beside a record's file."""
    return InFolder(Path(record).absolute().parent).read(f"{RUN_FOLDER}/{SUMS}", MOST_BYTES) is not None

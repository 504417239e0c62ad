"""What a launch would do, without doing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolkit.api.orders import Order, open_mpi_of, read_order, run_image
from toolkit.errors import ToolkitError
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_reference
from toolkit.progress import Report, silent
from toolkit.run.launch.allocator import allocator_of
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.run_plan import RunImage, RunPlan
from toolkit.run.plan.source_files import SubmittedCode
from toolkit.run.plan.training_id import new_training_id

_NOT_BUILT = "not built here; the lines below lack the variables that it sets"


@dataclass(frozen=True)
class PlannedLaunch:
    """The plan of a launch and the code that it would submit; `image_note` says what is unknown about the image."""

    plan: RunPlan
    code: SubmittedCode
    image: str
    image_note: str = ""


def plan_launch(
    manifest: str | Path,
    *,
    cluster: str | Path | None = None,
    code: str | Path | None = None,
    deterministic: bool = False,
    report: Report = silent,
) -> PlannedLaunch:
    """Plan a launch from the same files. Nothing is started or connected to; the image need not be built.

    Raises:
        ToolkitError: if one of the files is invalid, or the cluster has no hosts that fit.

    Example:
        >>> [one.ranks for one in api.plan_launch("manifest.yml", cluster="cluster.yml").plan.learners]
    """
    order = read_order(manifest, cluster, code, report, deterministic=deterministic)
    image, note = _image(order)
    side_image = buckets_reference()
    placements = allocator_of(order.cluster).plan(order.manifest.compute)
    plan = make_plan(order.manifest, order.cluster, image, side_image, new_training_id(), placements)
    return PlannedLaunch(plan, order.code, order.reference, note)


def _image(order: Order) -> tuple[RunImage, str]:
    """The image, and a note about it; neither a build nor an engine is needed."""
    reference = order.reference
    unbuilt = RunImage(reference, reference, (), open_mpi_of(order.recipe))
    try:
        found = ImageStore().find(reference)
    except ToolkitError as error:
        return unbuilt, f"{error.what}; {_NOT_BUILT}"
    return (run_image(order.recipe, order.inputs, found), "") if found else (unbuilt, _NOT_BUILT)

"""What a recorded run would run with here, as conditions that are compared, and what is wrong with that."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from toolkit.api.checked import row_of
from toolkit.api.orders import Order, flavour_on, packages_of
from toolkit.cluster.model import NO_GPU, Cluster
from toolkit.errors import ToolkitError
from toolkit.image.store import ImageStore
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.manifest.results import bucket_name
from toolkit.manifest.write import canonical_data
from toolkit.run.comparison.conditions import Conditions, Difference, ImageFacts, without_own_id
from toolkit.run.document.model import Data
from toolkit.run.launch.allocator import allocator_of
from toolkit.run.plan.training_id import TrainingId
from toolkit.storage.examine import located
from toolkit.storage.open_storage import Opened
from toolkit.storage.s3 import Store
from toolkit.urls import redact_urls
from toolkit.user_packages.read import image_facts, read_additions


def conditions_here(run: TrainingId, order: Order, code: Mapping[str, str], data: Data) -> Conditions:
    """The conditions here; hosts are not known before they are allocated."""
    compute = order.manifest.compute
    there = ImageStore().find(order.reference)
    image_id = there.image_id if there else ""
    image = ImageFacts(order.reference, image_id, dict(order.inputs.digests), packages_of(order.recipe))
    on_cpu = compute.on_cpu or order.cluster.gpu == NO_GPU
    manifest = without_own_id(canonical(order.manifest), run)
    count, why = _hosts(order)
    return Conditions(manifest, compute.ranks, on_cpu, code, image, data, host_count=count, why_no_hosts=why)


def _hosts(order: Order) -> tuple[int, str]:
    """How many hosts the ranks will be on; why the cluster has none for them, if so. None of them is asked."""
    try:
        return len({one.host for one in allocator_of(order.cluster).plan(order.manifest.compute)}), ""
    except ToolkitError as error:
        return 0, error.what


def canonical(manifest: Manifest) -> dict[str, Any]:
    """The canonical form as a record has it."""
    found: dict[str, Any] = json.loads(redact_urls(json.dumps(canonical_data(manifest))))
    return found


def wanted(file: Path, cluster: Cluster, code: Path) -> list[Requirement]:
    """What the code in a folder requires besides the framework; nothing if that cannot be read, which is refused."""
    with suppress(ToolkitError):
        manifest = read_manifest(file)
        flavour = flavour_on(cluster, manifest)
        image = image_facts(row_of(manifest, file, flavour).recipe)
        return [one.requirement for one in read_additions(code, manifest.packages, image, flavour).wanted]
    return []


def continued_by(manifest: Manifest, opened: Opened) -> Iterator[Difference]:
    """Whether the run that this one continues, or takes its checkpoint from, is no longer in the results bucket."""
    if not manifest.resume or "results" not in opened.remotes:
        return
    bucket = bucket_name(manifest.training_results)
    try:
        found = Store(located(opened["results"], bucket)).objects(bucket, f"{manifest.resume}/")
        why = "" if next(found, None) else f"no files in {bucket}/{manifest.resume}/"
    except ToolkitError as error:
        why = error.what
    if why:
        yield Difference("data", f"of {manifest.resume}, which it continues", "there", why)


def say_where(error: ToolkitError, folder: Path, given: Path | None) -> None:
    """Name what is wrong with a copy of the code by where the code is."""

    def named(text: str) -> str:
        return text.replace(f"{folder}/", f"{given}/" if given else "_submitted_code/")

    places = [(one, one.place and replace(one.place, file=named(one.place.file))) for one in error.problems]
    error.problems = tuple(replace(one, what=named(one.what), place=place) for one, place in places)
    error.what = named(error.what)
    if error.hint.startswith("toolkit lock "):  # it would look for requirements beside a manifest that is elsewhere
        where = given or "a folder with the code, named by --code"
        error.hint = f"lock them with `toolkit lock MANIFEST`, with a manifest in {where}"

"""The inputs of a launch, read and checked; nothing is started yet."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from toolkit.api.checked import read_and_report
from toolkit.api.embedded_store import OPERATOR_HINT, is_store_out_of_reach
from toolkit.api.resolve import recipe_of
from toolkit.catalogue.choose import CPU, CUDA
from toolkit.catalogue.model import DistributionBase, Recipe
from toolkit.cluster.model import NO_GPU, Cluster
from toolkit.cluster.reader import read_cluster
from toolkit.errors import Code, ToolkitError
from toolkit.image.store import ImageStore, StoredImage
from toolkit.image.tool_images import buckets_reference
from toolkit.image.version import Inputs, read_inputs
from toolkit.lock.file import read_lock
from toolkit.lock.packages import LockedPackage, locked_packages
from toolkit.manifest.deterministic import deterministic as made_deterministic
from toolkit.manifest.model import Manifest
from toolkit.paths import assets, home
from toolkit.progress import Report
from toolkit.run.plan.code_secrets import known_to
from toolkit.run.plan.run_plan import RunImage
from toolkit.run.plan.source_files import SubmittedCode, read_code, read_submitted


@dataclass(frozen=True)
class Files:
    """The files that a launch names: the manifest, the cluster file (default: this machine's), the code folder
    (default: beside the manifest)."""

    manifest: Path
    cluster: Path | None = None
    code: Path | None = None

    @property
    def code_folder(self) -> Path:
        """Where the code is."""
        return self.code or self.manifest.parent


@dataclass(frozen=True)
class Order:
    """A launch's manifest, cluster and code, and its image: the recipe, and its inputs, which give name and version.

    `checkpoint` is that of an earlier run, by its path in the bucket; empty if the launch trains.
    `reproduces` is the run that it reproduces; `deterministic`: its manifest has variables that its file does not set.
    """

    files: Files
    manifest: Manifest
    cluster: Cluster
    code: SubmittedCode
    recipe: Recipe
    inputs: Inputs
    flavour: str
    checkpoint: str = ""
    reproduces: str = ""
    deterministic: bool = False

    @property
    def reference(self) -> str:
        """The image's name and version."""
        return self.inputs.reference


def read_order(
    file: str | Path,
    cluster_file: str | Path | None,
    code_folder: str | Path | None,
    report: Report,
    *,
    code_of: str = "",
    deterministic: bool = False,
) -> Order:
    """Read every file that a launch names; raises `ToolkitError` if one is invalid.

    `code_of`: the code is that of this run, fetched and verified, and is taken as it is. `deterministic`: with the
    framework's variables for that.
    """
    files = Files(Path(file), Path(cluster_file) if cluster_file else None, Path(code_folder) if code_folder else None)
    manifest = read_and_report(files.manifest, report)
    manifest = made_deterministic(manifest) if deterministic else manifest
    cluster = read_cluster(files.cluster or assets() / "clusters" / "local.yml")
    if is_store_out_of_reach(manifest, cluster):
        what = f"the embedded store runs on this machine, but cluster {cluster.name} does not give its address"
        raise ToolkitError(Code.RESOURCES_ASKED, what, hint=OPERATOR_HINT)
    refuse_local_writes_on_hosts(manifest, cluster)
    flavour = flavour_on(cluster, manifest)
    recipe = recipe_of(manifest, files.manifest, files.code_folder, flavour, report)
    code = read_submitted(files.code_folder, code_of) if code_of else _code_of(files, manifest, cluster)
    inputs = read_inputs(recipe)
    return Order(files, manifest, cluster, code, recipe, inputs, flavour, deterministic=deterministic)


def refuse_local_writes_on_hosts(manifest: Manifest, cluster: Cluster) -> None:
    """Raise `ToolkitError` (C104) if results would be on the disks of several hosts: RESULT_DIR is one folder."""
    if manifest.write_local and cluster.remote and manifest.compute.nodes > 1:
        what = f"`write: local` is for runs on one host, and this one takes {manifest.compute.nodes} of {cluster.name}"
        hint = "remove `write: local` from training_results_reference: a mount is shared by all hosts"
        raise ToolkitError(Code.RESOURCES_ASKED, what, hint=hint)


def built_images(order: Order) -> tuple[RunImage, str]:
    """The image of the run, and the reference of the one that mounts buckets.

    Raises `ToolkitError` (S103) if one of them is not here.
    """
    store = ImageStore()
    side_image = buckets_reference()
    store.get(side_image)
    there = store.find(order.reference)
    if there is None:
        flavour = f" --flavour {order.flavour}" if order.flavour != CPU else ""
        building = f"toolkit build {order.files.manifest}{flavour}"
        raise ToolkitError(Code.IMAGE, f"image {order.reference} is not here", hint=building)
    return run_image(order.recipe, order.inputs, there), side_image


def run_image(recipe: Recipe, inputs: Inputs, image: StoredImage) -> RunImage:
    """The image's facts for a run."""
    known = (image.image_id, image.environment, open_mpi_of(recipe), inputs.digests, inputs.digest)
    return RunImage(inputs.reference, *known, packages_of(recipe))


def packages_of(recipe: Recipe) -> tuple[LockedPackage, ...]:
    """Every package that an image's locks name."""
    return locked_packages(read_lock(recipe.lock), read_lock(recipe.additions.lock) if recipe.additions else None)


def flavour_on(cluster: Cluster, manifest: Manifest) -> str:
    """The variant of the image that a manifest's ranks need on a cluster."""
    return CPU if manifest.compute.on_cpu or cluster.gpu == NO_GPU else CUDA


def open_mpi_of(recipe: Recipe) -> str:
    """The version of Open MPI in an image; unknown for bases from a registry: 4's options are used."""
    return recipe.base.suite.open_mpi if isinstance(recipe.base, DistributionBase) else "4"


def _code_of(files: Files, manifest: Manifest, cluster: Cluster) -> SubmittedCode:
    """The code, without the files and keys that manifest and cluster name."""
    known = known_to(manifest, files.manifest, cluster, os.environ, home())
    return read_code(files.code_folder, files.manifest, known, (files.cluster,) if files.cluster else ())

"""User packages as stages on top of a framework's image: Debian packages, then Python's.

Debian packages need no builder: mmdebstrap builds the base once more with them, and the differences are their layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from toolkit.catalogue.model import LEARNER_UID, DistributionBase, Recipe
from toolkit.image import labels as label
from toolkit.image.layer import Layer, LayerWriter
from toolkit.image.stage_builder import Workshop
from toolkit.image.stages import Stage, render, wheels_context
from toolkit.image.tree_facts import FileFacts, read_files
from toolkit.image.version import Inputs, digest_of, read_inputs
from toolkit.lock.model import DebPin, Lock
from toolkit.lock.pool import Pool
from toolkit.tar.write import Entry

PACKAGES_NAME = "toolkit-packages"
LOCK_IN_IMAGE = "/usr/share/toolkit/additions.yml"
_WHITEOUT = ".wh."
"""OCI's prefix for a file that a layer removes (whiteout)."""


def packages_inputs(framework: Recipe, added: Lock) -> Inputs:
    """The inputs of a framework's image with Debian packages on top."""
    return Inputs(PACKAGES_NAME, (("below", read_inputs(framework).digest), ("debs", digest_of(added.debs))))


def additions_stage(
    recipe: Recipe, inputs: Inputs, added: Lock, template: str, pool: Pool, parent: str, reference: str
) -> Stage:
    """The stage of the image itself: the user's wheels, and the lock that they come from."""
    assert recipe.additions
    context = [Entry("lock.yml", recipe.additions.lock)]
    roots = [LOCK_IN_IMAGE]
    if added.wheels:
        roots.append("/opt/user")
        context += wheels_context(added.wheels, pool)
    dockerfile = render(
        template,
        parent=parent,
        stage=reference,
        roots=" ".join(roots),
        wheels=bool(added.wheels),
        uid=LEARNER_UID,
        labels={
            label.VERSION: inputs.reference,
            label.INPUTS_SHA256: inputs.digest,
            label.INPUTS: inputs.summary,
            label.ADDITIONS: " ".join([*recipe.additions.requirements, *recipe.additions.packages]),
        },
    )
    origin = f"toolkit additions: {len(added.wheels)} wheels"
    return Stage(reference, parent, dockerfile, tuple(context), tuple(roots), origin)


def write_packages_layer(
    workshop: Workshop,
    base: DistributionBase,
    debs: tuple[DebPin, ...],
    below: str,
    packages: tuple[str, ...],
    folder: Path,
) -> Layer:
    """The layer in `folder` that turns the base image `below` into `base` with its packages."""
    whole = workshop.base_layer(base, debs, folder / "whole.tar", f"packages {' '.join(packages)}", "")
    workshop.store.copy_layer(below, folder / "below.tar")
    with (folder / "below.tar").open("rb") as stream:
        old = read_files(stream)
    with whole.file.open("rb") as stream:
        new = read_files(stream)
    writer = LayerWriter(folder / "layer.tar", f"toolkit packages: {' '.join(packages)}")
    gone, kept = set(whiteouts(old, new)), changed(old, new)
    for name in gone:
        writer.add_bytes(name, b"")
    with whole.file.open("rb") as stream:
        writer.add(stream, keep=kept.__contains__)
    return writer.finish()


def changed(old: dict[str, FileFacts], new: dict[str, FileFacts]) -> set[str]:
    """What is new or changed in `new`, with its parent folders. Pure."""
    found = {path for path, facts in new.items() if old.get(path) != facts}
    return found | {str(folder) for path in found for folder in PurePosixPath(path).parents if str(folder) != "."}


def whiteouts(old: dict[str, FileFacts], new: dict[str, FileFacts]) -> Iterator[str]:
    """OCI's whiteouts for what is in `old` and not in `new`; that of a folder covers everything below it. Pure."""
    gone = old.keys() - new.keys()
    for path in sorted(gone):
        parent, _, name = path.rpartition("/")
        if parent not in gone:
            yield f"{parent}/{_WHITEOUT}{name}".lstrip("/")

"""Build images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.api.catalogue import catalogue
from toolkit.api.checked import read_and_report, row_of
from toolkit.api.compatible import why_cpu_alone
from toolkit.api.provenance import keep_provenance, now
from toolkit.api.resolve import named_row, recipe_of, served_flavour
from toolkit.catalogue.choose import CPU
from toolkit.catalogue.model import FrameworkRow, Recipe
from toolkit.image.build import Build, BuiltImage
from toolkit.image.builders import builder_named
from toolkit.image.dry_run import Rendered, render
from toolkit.image.matrix import Matrix, OnLine, Outcome, this_machines_workers
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_recipe
from toolkit.lock.file import read_lock
from toolkit.paths import cache
from toolkit.progress import Report, silent
from toolkit.validation.expectations import expectation
from toolkit.validation.model import TOOL_IMAGE, Expectation, refuse
from toolkit.validation.validate import prove


@dataclass(frozen=True)
class Built:
    """A training image, and the buckets image that its runs also need.

    Attributes:
        framework: its row in the catalogue, such as `tensorflow-ddl 2.19`.
        cpu_only: why the image is for CPUs only, if there is none for GPUs; else empty.
    """

    image: BuiltImage
    buckets_image: BuiltImage
    framework: FrameworkRow
    cpu_only: str = ""


def build(manifest: str | Path, *, flavour: str = CPU, builder: str = "classic", report: Report = silent) -> Built:
    """Build and validate the image for `manifest`; an existing image is not built again.

    Args:
        flavour: `cpu` or `cuda`.
        builder: `classic` or `buildkit`; both give the same image ID.

    Raises:
        ToolkitError: C101 for an invalid manifest, C102 for packages that are not locked, S103 if the build fails.

    Example:
        >>> api.build("examples/mnist/manifest.yml").image.image_id
    """
    recipe, row = _recipe_for(Path(manifest), flavour, report)
    return build_both(recipe, row, builder, report)


def build_image(name: str, *, builder: str = "classic", report: Report = silent) -> Built:
    """Build the catalogue's image `name`, such as `tensorflow-ddl-2.19-py3.11-cpu`.

    Raises:
        ToolkitError: C101 with the nearest name if the catalogue has no such image, S103 if the build fails.

    Example:
        >>> api.build_image("tensorflow-ddl-2.19-py3.11-cpu").image.reference
    """
    row = named_row(name)
    return build_both(row.recipe, row, builder, report)


def build_all(
    names: Sequence[str] = (),
    *,
    builder: str = "classic",
    at_once: int | None = None,
    on_line: OnLine = lambda _name, _line: None,
    report: Report = silent,
) -> tuple[Outcome, ...]:
    """Build many images, each in its own process; a failure does not stop the others.

    Args:
        names: images of the catalogue; none means every one that this site can build.
        at_once: parallel builds (default: what this machine's cores and memory allow).
        on_line: gets an image's name and each line that its build prints to standard error.

    Raises:
        ToolkitError: C101 for a name that the catalogue does not have, before anything is built.

    Example:
        >>> [outcome.name for outcome in api.build_all() if outcome.status]
    """
    names = names_to_build(names)
    build_recipe(buckets_recipe(), TOOL_IMAGE, builder, report)  # all of them would wait for it
    own = [sys.executable, "-m", "toolkit", "build", "--json", "--builder", builder]
    commands: dict[str, Sequence[str]] = {name: [*own, "--image", name] for name in names}
    return Matrix(commands, at_once or this_machines_workers(), on_line).run()


def names_to_build(names: Sequence[str]) -> tuple[str, ...]:
    """`names` without duplicates, checked against the catalogue; by default every image that this site can build."""
    for name in names:
        named_row(name)
    buildable = (row.recipe.name for row in catalogue() if not row.recipe.lacks_bundle)
    return tuple(dict.fromkeys(names or buildable))


def render_build(
    folder: str | Path,
    *,
    manifest: str | Path | None = None,
    image: str = "",
    flavour: str = CPU,
    builder: str = "classic",
    report: Report = silent,
) -> tuple[Rendered, ...]:
    """Write the Dockerfiles and contexts of a build to `folder`; build nothing.

    The image is that of `manifest`, or the catalogue's `image`.

    Raises:
        ToolkitError: C101 if `folder` is not empty, or as `build` and `build_image`.

    Example:
        >>> api.render_build("stages", manifest="manifest.yml")
    """
    recipe = _recipe_for(Path(manifest), flavour, report)[0] if manifest else named_row(image).recipe
    store = ImageStore()
    stages = Build(recipe, store, builder_named(builder, store), cache(), silent).stages()
    return render(recipe, read_lock(recipe.lock), stages, Path(folder))


def build_recipe(recipe: Recipe, expected: Expectation, builder: str, report: Report) -> BuiltImage:
    """Build a recipe's image in this machine's engine and validate it."""
    store = ImageStore()

    def validate(image_id: str) -> None:
        refuse(prove(image_id, expected, report, store))

    started = now()
    built = Build(recipe, store, builder_named(builder, store), cache(), report, validate).run()
    if built.fresh:
        keep_provenance(recipe, built, started, store)
    return built


def _recipe_for(file: Path, flavour: str, report: Report) -> tuple[Recipe, FrameworkRow]:
    manifest = read_and_report(file)
    flavour = served_flavour(manifest, file, flavour)
    return recipe_of(manifest, file, flavour=flavour, report=report), row_of(manifest, file, flavour)


def build_both(recipe: Recipe, row: FrameworkRow, builder: str, report: Report) -> Built:
    """Build the recipe's image and the buckets image, as `build` does; `row` is the recipe's."""
    side = build_recipe(buckets_recipe(), TOOL_IMAGE, builder, report)
    image = build_recipe(recipe, expectation(row), builder, report)
    return Built(image, side, row, why_cpu_alone(row, catalogue()))

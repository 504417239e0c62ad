"""Verify an image: rebuild it from scratch and compare."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.api.catalogue import catalogue
from toolkit.catalogue.model import Recipe
from toolkit.errors import Code, ToolkitError
from toolkit.image import labels as label
from toolkit.image.build import Build
from toolkit.image.builders import builder_named
from toolkit.image.store import ImageStore, StoredImage
from toolkit.image.tool_images import own_recipes
from toolkit.image.verify import Difference, built_again, compare, config_differences, namespace
from toolkit.image.version import read_inputs
from toolkit.inventory.images import engine_images, pick
from toolkit.paths import cache
from toolkit.plural import listed
from toolkit.progress import Report, silent

_MOST_NAMED = 5
"""Inputs that differ, in an error."""


@dataclass(frozen=True)
class Verification:
    """An image and its rebuild; `settings` and `files` list the differences."""

    reference: str
    image_id: str
    again: str
    settings: tuple[str, ...] = ()
    files: tuple[Difference, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both are bit-identical."""
        return self.again == self.image_id


def verify_image(reference: str, *, builder: str = "classic", report: Report = silent) -> Verification:
    """Rebuild the image from scratch, beside the existing one, and compare both.

    Raises:
        ToolkitError: S103 if the image was made from inputs that differ from this catalogue's, or the build fails.

    Example:
        >>> api.verify_image("tensorflow-ddl-2.19-py3.11-cpu").same
    """
    store = ImageStore()
    picked = pick(reference, engine_images(store))
    name, image = picked.own_name, store.get(picked.image_id)
    recipe = _recipe_that_made(name, image)
    build = Build(recipe, store, builder_named(builder, store), cache(), report, namespace=namespace())
    with built_again(build, store) as again:
        if again.image_id == image.image_id:
            return Verification(name, image.image_id, again.image_id)
        settings = tuple(config_differences(image, again))
        files = tuple(compare(store, image, again, build.stages()))
        return Verification(name, image.image_id, again.image_id, settings, files)


def _recipe_that_made(reference: str, image: StoredImage) -> Recipe:
    """The recipe of the image; raises `ToolkitError` (S103) if its inputs have changed."""
    combination = image.labels.get(label.COMBINATION, "")
    recipes = {recipe.name: recipe for recipe in (*(row.recipe for row in catalogue()), *own_recipes())}
    if combination not in recipes:
        raise ToolkitError(Code.IMAGE, f"{reference} has no recipe in this catalogue ({combination or 'no label'})")
    recipe = recipes[combination]
    now, then = read_inputs(recipe), image.labels.get(label.INPUTS, "").split()
    if image.labels.get(label.INPUTS_SHA256) != now.digest:
        changed = sorted({entry.partition("=")[0] for entry in set(now.summary.split()) ^ set(then)})
        named = listed(changed, _MOST_NAMED) or "the build format"
        raise ToolkitError(
            Code.IMAGE,
            f"{reference} was not built from this catalogue's inputs: {named}",
            hint="check out the tool version that built it, and verify with that",
        )
    return recipe

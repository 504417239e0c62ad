"""`toolkit images verify REF`: build it again from nothing, and say where it differs."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from itertools import islice

from toolkit.catalogue.model import Recipe
from toolkit.cli.catalogue import catalogue
from toolkit.cli.output import console, print_json, progress_bar
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

_MOST_SHOWN = 50
DIFFERENT = 3


def run(arguments: argparse.Namespace) -> int:
    """Build, compare ids; where they differ, compare every file."""
    store = ImageStore()
    picked = pick(arguments.reference, engine_images(store))
    name, image = picked.own_name, store.get(picked.image_id)
    recipe = recipe_of(name, image)
    with progress_bar() as report:
        build = Build(recipe, store, builder_named(arguments.builder, store), cache(), report, namespace=namespace())
        with built_again(build, store) as again:
            same = again.image_id == image.image_id
            settings = [] if same else list(config_differences(image, again))
            files = [] if same else list(compare(store, image, again, build.stages()))
    if arguments.json:
        differences = [*settings, *(asdict(file) for file in files)]
        print_json({"image": image.image_id, "again": again.image_id, "same": same, "differences": differences})
    console.print(f"built again from nothing: {again.image_id}", soft_wrap=True)
    if same:
        console.print(f"{name} is the same to the bit", style="green", soft_wrap=True)
        return 0
    console.print(f"{name} is {image.image_id}: {len(files)} files differ", style="red", soft_wrap=True)
    for line in [*settings, *map(_line, islice(files, _MOST_SHOWN))]:
        console.print(f"  {line}", soft_wrap=True)
    if len(files) > _MOST_SHOWN:
        console.print(f"  and {len(files) - _MOST_SHOWN} more: --json names them all")
    return DIFFERENT


def _line(file: Difference) -> str:
    return f"{file.path}: {'; '.join(file.kinds)}\n      {file.instruction}"


def recipe_of(reference: str, image: StoredImage) -> Recipe:
    """The recipe that made the image; raises `ToolkitError` (S103) where its inputs are not today's."""
    combination = image.labels.get(label.COMBINATION, "")
    recipes = {recipe.name: recipe for recipe in (*(row.recipe for row in catalogue()), *own_recipes())}
    if combination not in recipes:
        raise ToolkitError(Code.IMAGE, f"{reference} is of no recipe in this catalogue ({combination or 'no label'})")
    recipe = recipes[combination]
    now, then = read_inputs(recipe), image.labels.get(label.INPUTS, "").split()
    if image.labels.get(label.INPUTS_SHA256) != now.digest:
        changed = sorted({entry.partition("=")[0] for entry in set(now.summary.split()) ^ set(then)})
        raise ToolkitError(
            Code.IMAGE,
            f"{reference} was made of other inputs than this catalogue has: {', '.join(changed) or 'the build format'}",
            hint="check out the version of the tool that built it, and verify there",
        )
    return recipe

"""`toolkit build MANIFEST`."""

from __future__ import annotations

import argparse
from pathlib import Path

from toolkit.catalogue.choose import NotInCatalogue, choose
from toolkit.catalogue.model import FrameworkRow
from toolkit.catalogue.reader import read_frameworks
from toolkit.cli.screen import console, human_size, print_json, progress_bar
from toolkit.image.build import Build, BuiltImage
from toolkit.image.own import buckets_recipe
from toolkit.image.store import ImageStore
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import framework_error, read_manifest
from toolkit.places import cache, house


def run(arguments: argparse.Namespace) -> int:
    """Build the image that mounts buckets, then the manifest's own."""
    file = Path(arguments.manifest)
    row = row_of(read_manifest(file), file)
    store = ImageStore()
    with progress_bar() as report:
        side = Build(buckets_recipe(), "", store, cache(), report).run()
        image = Build(row.recipe, row.python, store, cache(), report).run()
    if arguments.json:
        print_json({"image": _facts(image), "buckets_image": _facts(side), "framework": row.spelled})
    for made in (side, image):
        verb = "built" if made.fresh else "here already"
        console.print(f"{made.reference}  {human_size(made.size)}  {verb}\n  {made.image_id}", soft_wrap=True)
    return 0


def row_of(manifest: Manifest, file: Path) -> FrameworkRow:
    """The catalogue's answer to the manifest in `file`; raises `ToolkitError` (C101) that points at the field."""
    try:
        return choose(read_frameworks(house() / "images", house() / "templates"), manifest.framework)
    except NotInCatalogue as error:
        raise framework_error(file, error.field, str(error)) from None


def _facts(image: BuiltImage) -> dict[str, object]:
    return {"reference": image.reference, "id": image.image_id, "bytes": image.size, "built_now": image.fresh}

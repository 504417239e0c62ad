"""The tool's own images: the bucket container (mounts, runs' agent, embedded S3 server), and a lab's host."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from toolkit import agent
from toolkit.catalogue.model import FrameworkRow, Program, Recipe, Tree
from toolkit.catalogue.reader import read_tool_recipe
from toolkit.errors import Code, ToolkitError
from toolkit.image.version import read_inputs
from toolkit.paths import assets

BUCKETS = "toolkit-buckets"
"""The bucket image's name, without its version."""
_AGENT = Path(agent.__file__).parent


def buckets_recipe() -> Recipe:
    """The recipe of the bucket image, with the agent and the rclone binary of the tool's own installation."""
    return read_tool_recipe(
        assets() / "images" / "buckets",
        assets() / "templates",
        (Tree(_AGENT, "/opt/agent/toolkit/agent"),),
        locate,
    )


def buckets_reference() -> str:
    """The bucket image's name and version."""
    return read_inputs(buckets_recipe()).reference


def lab_recipe() -> Recipe:
    """The recipe of a lab's host: sshd and a container engine, and the program that starts both."""
    folder = assets() / "images" / "lab-host"
    return read_tool_recipe(folder, assets() / "templates", (Tree(folder / "start.sh", "/usr/local/lib/lab-host.sh"),))


def own_recipes() -> tuple[Recipe, ...]:
    """All of them."""
    return buckets_recipe(), lab_recipe()


def compiler_recipes(rows: Iterable[FrameworkRow]) -> tuple[Recipe, ...]:
    """The bases in which the entries' native libraries are compiled, without duplicates."""
    natives = [row.recipe.native for row in rows if row.recipe.native]
    return tuple({native.compiler.name: native.compiler for native in natives}.values())


def locate(program: Program) -> Path:
    """The path of `program` from its Python package in this environment; PATH is not searched.

    Raises `ToolkitError` (S103) if the package is not installed. Whether the file is the pinned one is checked before
    an image is built, and again on its way into the image.
    """
    try:
        files = metadata.distribution(program.distribution).files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        place = Path(str(file.locate()))
        if file.name == program.file and place.is_file():
            return place.resolve()
    raise ToolkitError(
        Code.IMAGE,
        f"{program.release} is missing: this environment has no package {program.distribution} with {program.file}",
        hint="pip install --require-hashes -r requirements/tool.txt",
    )

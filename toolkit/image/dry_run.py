"""Writes what a build would do to a folder, for reading: one folder for each stage, in their order."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.atomic_file import copy_of, sha256_of
from toolkit.catalogue.model import DistributionBase, Recipe
from toolkit.errors import Code, ToolkitError
from toolkit.image.base import mmdebstrap_argv, without_network
from toolkit.image.stages import Stage
from toolkit.lock.model import Lock
from toolkit.tar.write import Entry


@dataclass(frozen=True)
class Rendered:
    """A stage in `folder`; `missing` are the files of its context that a build would fetch first."""

    folder: Path
    missing: tuple[str, ...]


def render(recipe: Recipe, lock: Lock, stages: Sequence[Stage], folder: Path) -> tuple[Rendered, ...]:
    """Write base and stages to `folder`, which must be empty or not exist; nothing is downloaded or built.

    Raises `ToolkitError` (C101) if the folder is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ToolkitError(
            Code.MANIFEST, f"{folder} is not empty", hint="use an empty folder, or one that does not exist"
        )
    rendered = []
    if isinstance(recipe.base, DistributionBase):
        rendered.append(_render_base(recipe.base, lock, folder / "1-base"))
    for number, stage in enumerate(stages, len(rendered) + 1):
        rendered.append(_render_stage(stage, folder / f"{number}-{stage.reference.partition(':')[0]}"))
    return tuple(rendered)


def _render_base(base: DistributionBase, lock: Lock, folder: Path) -> Rendered:
    folder.mkdir(parents=True)
    argv = without_network(mmdebstrap_argv(base, Path("packages"), Path("base.tar")), os.geteuid())
    _write_new(folder / "mmdebstrap.txt", f"{shlex.join(argv)}\n".encode())
    lines = (f"{deb.sha256}  packages/{deb.file}\n" for deb in sorted(lock.debs))
    _write_new(folder / "SHA256SUMS", "".join(lines).encode())
    return Rendered(folder, ())


def _render_stage(stage: Stage, folder: Path) -> Rendered:
    missing = []
    for entry in stage.entries():
        target = folder / entry.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry.content, bytes):
            _write_new(target, entry.content)
        elif _is_as_locked(entry):
            copy_of(entry.content, target)
        else:
            missing.append(entry.name)
            continue
        target.chmod(entry.mode)
    return Rendered(folder, tuple(missing))


def _write_new(file: Path, content: bytes) -> None:
    """Files that someone has created there meanwhile are neither followed nor overwritten."""
    with file.open("xb") as stream:
        stream.write(content)


def _is_as_locked(entry: Entry) -> bool:
    """Whether a build would use the file as it is; it fetches missing and damaged files."""
    if not isinstance(entry.content, Path) or not entry.content.is_file():
        return False
    return not entry.sha256 or sha256_of(entry.content) == entry.sha256

"""What a build would do, written into a folder to be read: one folder for each stage, in their order."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.catalogue.model import DistributionBase, Recipe
from toolkit.errors import Code, ToolkitError
from toolkit.image.base import mmdebstrap_argv
from toolkit.image.stages import Stage
from toolkit.lock.model import Lock


@dataclass(frozen=True)
class Rendered:
    """A stage as it lies in `folder`; `missing` are the files of its context that a build would fetch first."""

    folder: Path
    missing: tuple[str, ...]


def render(recipe: Recipe, lock: Lock, stages: Sequence[Stage], folder: Path) -> tuple[Rendered, ...]:
    """Write base and stages to `folder`, which must be empty or not there; nothing is downloaded or built.

    Raises `ToolkitError` (C101) where something lies in the folder already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ToolkitError(
            Code.MANIFEST, f"{folder} is not empty", mend="name an empty folder, or one that is not there"
        )
    rendered = []
    if isinstance(recipe.base, DistributionBase):
        rendered.append(_render_base(recipe.base, lock, folder / "1-base"))
    for number, stage in enumerate(stages, len(rendered) + 1):
        rendered.append(_render_stage(stage, folder / f"{number}-{stage.reference.partition(':')[0]}"))
    return tuple(rendered)


def _render_base(base: DistributionBase, lock: Lock, folder: Path) -> Rendered:
    folder.mkdir(parents=True)
    argv = mmdebstrap_argv(base, Path("packages"), Path("base.tar"))
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
        elif entry.content.is_file():
            _link(entry.content, target)
        else:
            missing.append(entry.name)
            continue
        target.chmod(entry.mode)
    return Rendered(folder, tuple(missing))


def _write_new(file: Path, content: bytes) -> None:
    """Nothing that someone has put there meanwhile is followed or written over."""
    with file.open("xb") as stream:
        stream.write(content)


def _link(source: Path, target: Path) -> None:
    """A wheel may be gigabytes: a second name is enough, for what is not changed through it."""
    if source.suffix == ".whl":
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
    else:
        shutil.copyfile(source, target)

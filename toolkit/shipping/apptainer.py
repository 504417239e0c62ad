"""Writes an image as a SIF file, for sites that run Apptainer (or Singularity) instead of a container engine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path

from toolkit.errors import Code, ToolkitError
from toolkit.image.store import ImageStore
from toolkit.process import stream
from toolkit.progress import Progress, Report
from toolkit.shipping.output_file import full_disk_translated
from toolkit.shipping.save import save_images

PROGRAMS = ("apptainer", "singularity")
LAST_LINES = 20


def build_argv(program: str, sif: str, archive: str) -> list[str]:
    """The command line that builds `sif` from a file of `toolkit save`.

    Written after apptainer.org/docs/user/main/docker_and_oci.html; compared with it, but not run.
    """
    return [program, "build", sif, f"docker-archive:{archive}"]


def find_program(which: Callable[[str], str | None] = shutil.which) -> str:
    """The path of the first installed one of `PROGRAMS`; raises `ToolkitError` (S100) if there is none."""
    found = next((path for path in map(which, PROGRAMS) if path), None)
    if found is None:
        raise ToolkitError(
            Code.RESOURCES,
            f"no {' or '.join(PROGRAMS)} on this machine, which is needed to write a SIF file",
            hint="install apptainer here; or `toolkit save REF -o FILE.tar`, and where apptainer is: "
            "apptainer build IMAGE.sif docker-archive:FILE.tar",
        )
    return found


def save_sif(reference: str, target: Path, store: ImageStore, report: Report) -> int:
    """Write the image to `target` as a SIF file; returns its size in bytes. `target` appears once it is complete.

    Raises `ToolkitError`: S100 if no program can build it or the disk is full, S103 if the image does not exist or the
    program fails, with its last lines.
    """
    program, last = find_program(), deque[str](maxlen=LAST_LINES)
    folder = target.absolute().parent

    def on_line(line: str) -> None:
        last.append(line)
        report(Progress("apptainer", line))

    with full_disk_translated(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".toolkit-") as scratch:
        archive, sif = Path(scratch, "image.tar"), Path(scratch, "image.sif")
        save_images([reference], archive, store, report)
        if stream(build_argv(program, str(sif), str(archive)), on_line, environment=dict(os.environ)) != 0:
            raise ToolkitError(Code.IMAGE, f"{Path(program).name} could not write {target}", evidence="\n".join(last))
        sif.replace(target)
    return target.stat().st_size

"""The base image: a distribution's own packages, put together by mmdebstrap and imported into the engine.

mmdebstrap's default mirror is used, so the site's apt configuration (proxy, mirror) holds, and no image
registry is needed. ssh host keys, which the package's installation makes, are removed before anything is kept.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from toolkit.catalogue.model import DistributionBase
from toolkit.errors import Code, ToolkitError
from toolkit.process import stream

_EPOCH = "1577836800"
"""2020-01-01: mmdebstrap clamps the times of files to it, so that the day of the build leaves no trace."""
_STEPS = ("running apt-get", "downloading", "extracting", "installing", "cleaning", "creating")
"""mmdebstrap's steps that take time; what else it says is kept for the case that it fails."""
LAST_LINES = 20


def mmdebstrap_argv(base: DistributionBase, target: Path) -> list[str]:
    """mmdebstrap's command line for `base`; the tar goes to `target`."""
    hooks = ['rm -f "$1"/etc/ssh/ssh_host_*_key "$1"/etc/ssh/ssh_host_*_key.pub', 'rm -rf "$1"/var/log/*']
    return [
        "mmdebstrap",
        f"--variant={base.variant}",
        f"--include={','.join(base.packages)}",
        *(f"--customize-hook={hook}" for hook in hooks if base.variant != "extract"),
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        base.suite,
        str(target),
    ]


def make_base(base: DistributionBase, target: Path, on_step: Callable[[str], None]) -> None:
    """Write the base's tar to `target`; raises `ToolkitError` (S103) with mmdebstrap's last lines."""
    last: list[str] = []

    def on_line(line: str) -> None:
        last.append(line)
        del last[:-LAST_LINES]
        step = line.removeprefix("I: ").rstrip(".")
        if step.startswith(_STEPS):
            on_step(step)

    environment = {**os.environ, "SOURCE_DATE_EPOCH": _EPOCH, "LC_ALL": "C.UTF-8"}
    try:
        status = stream(mmdebstrap_argv(base, target), on_line, environment=environment)
    except FileNotFoundError:
        raise ToolkitError(
            Code.IMAGE, "mmdebstrap is not installed", mend="sudo apt-get install mmdebstrap (Debian, Ubuntu)"
        ) from None
    if status != 0:
        raise ToolkitError(
            Code.IMAGE,
            f"mmdebstrap could not make the base from {base.suite}",
            evidence="\n".join(last),
            mend="the lines above say why: no network, a mirror or proxy, a full disk (and without root: `uidmap`)",
        )


def temporary_tar(folder: Path) -> Path:
    """A name for the tar in `folder`, which the caller removes."""
    handle, name = tempfile.mkstemp(prefix="base-", suffix=".tar", dir=folder)
    os.close(handle)
    return Path(name)

"""The tool itself and its dependencies as wheels, for installation on a machine without a network."""

from __future__ import annotations

import importlib.util
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from toolkit.errors import Code, ToolkitError
from toolkit.process import stream
from toolkit.progress import Progress, Report

REQUIREMENTS = Path("requirements") / "tool.txt"
"""In the tool's source: its requirements, with hashes."""
LAST_LINES = 12
_QUIET = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off")


def wheel_argv(project: Path, folder: Path) -> list[str]:
    """pip's command line that builds the tool's own wheel from its source, with this environment's hatchling.

    An isolated build would download hatchling from the index, without a hash, and run it.
    """
    words = ("--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    return [sys.executable, "-m", "pip", "wheel", *words, *_QUIET, str(project)]


def download_argv(requirements: Path, python: str, folder: Path) -> list[str]:
    """pip's command line that downloads the wheels of `requirements` for `python` (such as `3.11`), each by its
    hash."""
    return [
        *(sys.executable, "-m", "pip", "download", "--only-binary", ":all:", "--python-version", python),
        *("--require-hashes", "--requirement", str(requirements), "--dest", str(folder), *_QUIET),
    ]


def gather_wheels(project: Path, pythons: Sequence[str], folder: Path, report: Report) -> tuple[Path, ...]:
    """Fill `folder` with the tool's wheel and every dependency's, for each of `pythons`; returns the files, sorted.

    Uses the package index. Raises `ToolkitError`: S100 if the tool was installed without its source or without
    hatchling, S103 with pip's last lines.
    """
    requirements = project / REQUIREMENTS
    if not requirements.is_file():
        raise ToolkitError(
            Code.RESOURCES,
            "a bundle contains the tool itself, but its source is not here",
            hint="make the bundle from a checkout of the tool (git clone, ./quickstart)",
        )
    if importlib.util.find_spec("hatchling") is None:
        raise ToolkitError(
            Code.RESOURCES,
            "hatchling, which makes the tool's wheel, is not installed here",
            hint=f"pip install --require-hashes -r {project / 'requirements' / 'examples.txt'}",
        )
    _pip(wheel_argv(project, folder), report)
    for python in pythons:
        _pip(download_argv(requirements, python, folder), report)
    return tuple(sorted(folder.glob("*.whl")))


def _pip(argv: Sequence[str], report: Report) -> None:
    last = deque[str](maxlen=LAST_LINES)

    def on_line(line: str) -> None:
        last.append(line)
        report(Progress("the tool", line))

    if stream(argv, on_line) != 0:
        raise ToolkitError(
            Code.IMAGE,
            "the tool's own wheels could not be downloaded",
            evidence="\n".join(last),
            hint="see pip's output above: no network, a proxy, or no wheel for that Python",
        )

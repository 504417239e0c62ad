"""Fills the pool with wheels: pip downloads what a lock names, so that a site's index and proxy settings apply."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from toolkit.errors import Code, ToolkitError
from toolkit.fetch.missing import missing_from
from toolkit.full_disk import cache_full
from toolkit.lock.model import WheelPin
from toolkit.lock.pool import Pool
from toolkit.lock.wheel_choice import is_foreign
from toolkit.process import stream
from toolkit.progress import Progress, Report

_STAGE = "wheels"
_PROGRESS = re.compile(r"^Progress (\d+) of (\d+)$")
_COLLECTING = re.compile(r"^Collecting ([A-Za-z0-9._-]+)==(\S+)")
_TAGS = re.compile(r"-([^-]+)-([^-]+)-([^-]+)\.whl$")
_DISK_FULL = f"[Errno {errno.ENOSPC}]"
LAST_LINES = 12


def requirements_text(wheels: Sequence[WheelPin]) -> str:
    """The pins for pip: one line each, with its one permitted hash."""
    return "".join(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in wheels)


def download_argv(wheels: Sequence[WheelPin], requirements: Path, folder: Path, python: str) -> list[str]:
    """pip's command line: these wheels for the image's Python, whatever this machine and its Python are."""
    return [
        *(sys.executable, "-m", "pip", "download", "--require-hashes", "--no-deps", "--only-binary", ":all:"),
        *("--python-version", python, "--implementation", "cp"),
        *(word for tag in _tags(wheels, 2) for word in ("--abi", tag)),
        *(word for tag in _tags(wheels, 3) for word in ("--platform", tag)),
        *("--dest", str(folder), "--requirement", str(requirements)),
        *("--progress-bar", "raw", "--disable-pip-version-check", "--no-input"),
    ]


def fetch_wheels(wheels: Sequence[WheelPin], python: str, pool: Pool, report: Report) -> None:
    """Download the files that are missing or damaged in the pool.

    Raises `ToolkitError` (S103) with pip's last lines, or for a wrong hash.
    """
    missing = missing_from(pool, wheels, _STAGE, report)
    if not missing:
        return
    with pool.scratch() as folder:
        requirements = folder / "requirements.txt"
        for named_for, foreign in ((python, False), ("3", True)):  # pip downloads no wheel for another Python
            if group := [wheel for wheel in missing if is_foreign(wheel.file, python) is foreign]:
                requirements.write_text(requirements_text(group))
                _download(download_argv(group, requirements, folder, named_for), len(group), report)
        for wheel in missing:
            if not (folder / wheel.file).is_file():
                what = f"pip downloaded another file than {wheel.file}"
                raise ToolkitError(Code.IMAGE, what, hint="run `toolkit lock --update`")
            pool.take(folder / wheel.file, wheel)


def _tags(wheels: Sequence[WheelPin], part: int) -> list[str]:
    """The ABI (2) or platform (3) tags in the wheels' own names: pip must accept what the lock chose."""
    return sorted({tag for wheel in wheels if (match := _TAGS.search(wheel.file)) for tag in match[part].split(".")})


def _download(argv: Sequence[str], count: int, report: Report) -> None:
    last: list[str] = []
    state, position = Progress(_STAGE, "asking the index", 0, count), 0

    def on_line(line: str) -> None:
        nonlocal state, position
        if progress := _PROGRESS.match(line):
            if total := int(progress[2]):
                state = Progress(_STAGE, state.detail, int(progress[1]), total, "bytes")
        else:
            last.append(line)
            del last[:-LAST_LINES]
            if collecting := _COLLECTING.match(line):
                position += 1
                state = Progress(_STAGE, f"{collecting[1]} ({position} of {count})", position, count)
        report(state)

    if stream(argv, on_line) != 0:
        if full := [line.strip() for line in last if _DISK_FULL in line]:
            raise cache_full(full[-1])
        raise ToolkitError(
            Code.IMAGE,
            "the lock's wheels could not be downloaded",
            evidence="\n".join(last),
            hint="see the lines above: no network, a proxy, or a wheel that does not match the lock",
        )

"""The pool of wheels: what a lock names, fetched once, checked by hash, kept for every later build."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.catalogue.version import sha256_of
from toolkit.errors import Code, Place, Problem, ToolkitError
from toolkit.places import private_folder
from toolkit.process import stream

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s\\;]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_PROGRESS = re.compile(r"^Progress (\d+) of (\d+)$")
_COLLECTING = re.compile(r"^Collecting ([A-Za-z0-9._-]+)==(\S+)")
LAST_LINES = 12


@dataclass(frozen=True)
class Pin:
    """One requirement of a lock: name, version, and the hashes of the files that may serve."""

    name: str
    version: str
    hashes: frozenset[str]


@dataclass(frozen=True)
class Fetching:
    """How far a download is: the package, and its bytes so far and in all."""

    package: str
    position: int
    count: int
    done: int
    total: int


def parse_lock(file: Path) -> tuple[Pin, ...]:
    """The pins of a lock; raises `ToolkitError` (S103) for a line that is no pin or has no hash."""
    pins, problems = [], []
    logical, start = "", 1
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        start = start if logical else number
        logical += line.split(" #")[0].removesuffix("\\") + " "
        if line.endswith("\\"):
            continue
        wanted, logical = logical.strip(), ""
        match = _PIN.match(wanted)
        hashes = frozenset(_HASH.findall(wanted))
        if match and hashes:
            pins.append(Pin(match[1].lower(), match[2], hashes))
        elif wanted and not wanted.startswith("#"):
            what = f"{match[0]} has no hash" if match else "expected NAME==VERSION and its hashes"
            problems.append(Problem(what, Place(str(file), start, 1)))
    if problems:
        raise ToolkitError(Code.IMAGE, "a lock must pin every package with a hash", tuple(problems))
    return tuple(pins)


def match_pool(pins: tuple[Pin, ...], pool: Mapping[str, Path]) -> tuple[dict[str, Path], tuple[Pin, ...]]:
    """Which files of `pool` (by hash) serve which pin (by name), and the pins that still have none."""
    found: dict[str, Path] = {}
    for pin in pins:
        serving = sorted(pin.hashes & pool.keys())
        if serving:
            found[pin.name] = pool[serving[0]]
    return found, tuple(pin for pin in pins if pin.name not in found)


def read_pool(folder: Path) -> dict[str, Path]:
    """Every wheel in `folder`, by the SHA-256 of its bytes as they are now, not as its name says."""
    return {sha256_of(file): file for file in sorted(folder.glob("*.whl"))}


def download_argv(requirements: Path, folder: Path, python: str) -> list[str]:
    """pip's command line: wheels alone, for the image's Python, each checked against the lock's hash."""
    # Debian 12's glibc is 2.36; pip takes the newest tag that is listed and a wheel has.
    tags = [f"manylinux_2_{minor}_x86_64" for minor in range(36, 4, -1)] + ["manylinux2014_x86_64", "linux_x86_64"]
    return [
        *(sys.executable, "-m", "pip", "download", "--require-hashes", "--no-deps", "--only-binary", ":all:"),
        *("--python-version", python, "--implementation", "cp"),
        *(word for tag in [*tags, "any"] for word in ("--platform", tag)),
        *("--dest", str(folder), "--requirement", str(requirements)),
        *("--progress-bar", "raw", "--disable-pip-version-check", "--no-input"),
    ]


def fetch_wheels(lock: Path, python: str, folder: Path, on_progress: Callable[[Fetching], None]) -> dict[str, Path]:
    """The lock's wheels by package name, downloading what the pool in `folder` lacks.

    Raises `ToolkitError` (S103) with pip's last lines where a wheel cannot be had or its hash is wrong.
    """
    pins = parse_lock(lock)
    private_folder(folder)
    found, missing = match_pool(pins, read_pool(folder))
    if missing:
        _download(missing, lock, python, folder, on_progress)
        found, missing = match_pool(pins, read_pool(folder))
    if missing:
        names = ", ".join(f"{pin.name}=={pin.version}" for pin in missing)
        raise ToolkitError(Code.IMAGE, f"no wheel with the lock's hash was found for {names}", mend=f"see {lock}")
    return found


def _download(
    missing: tuple[Pin, ...], lock: Path, python: str, folder: Path, on_progress: Callable[[Fetching], None]
) -> None:
    requirements = folder / f"{lock.stem}.missing.txt"
    lines = (
        f"{pin.name}=={pin.version} {' '.join(f'--hash=sha256:{h}' for h in sorted(pin.hashes))}" for pin in missing
    )
    requirements.write_text("\n".join(lines) + "\n")
    last: list[str] = []
    state = Fetching("", 0, len(missing), 0, 0)

    def on_line(line: str) -> None:
        nonlocal state
        if progress := _PROGRESS.match(line):
            state = Fetching(state.package, state.position, state.count, int(progress[1]), int(progress[2]))
        else:
            last.append(line)
            del last[:-LAST_LINES]
            if collecting := _COLLECTING.match(line):
                state = Fetching(collecting[1], state.position + 1, state.count, 0, 0)
        on_progress(state)

    try:
        if stream(download_argv(requirements, folder, python), on_line) != 0:
            raise ToolkitError(
                Code.IMAGE,
                f"the wheels of {lock.name} could not be downloaded",
                evidence="\n".join(last),
                mend="look at the lines above: no network, a proxy, or a wheel that is not what the lock says",
            )
    finally:
        requirements.unlink(missing_ok=True)

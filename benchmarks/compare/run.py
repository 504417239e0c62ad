"""Runs cases: ours and the peer in turn (A B A B), so that what else the machine does meets both."""

from __future__ import annotations

import datetime
import importlib
import os
import pkgutil
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.compare import groups
from benchmarks.compare.case import Case, Outcome
from benchmarks.compare.workspace import Workspace


def group_names() -> list[str]:
    """The modules of `groups`, by name."""
    return sorted(module.name for module in pkgutil.iter_modules(groups.__path__))


def run_groups(names: Sequence[str], pattern: str, rounds: int | None, folder: Path) -> Iterator[Outcome]:
    """Measure the cases of the groups `names` whose own name matches `pattern`; each outcome as it is there."""
    for name in names:
        module = importlib.import_module(f"{groups.__name__}.{name}")
        with module.cases(Workspace(folder / name)) as cases:
            for case in cases:
                if fnmatch(case.name, pattern):
                    yield measure(case, rounds or case.rounds)


def measure(case: Case, rounds: int) -> Outcome:
    """The case's measurements, after one of each that does not count: it fills the caches of both."""
    say(f"{case.name}: {case.title}, beside {case.peer}")
    case.ours(), case.theirs()
    pairs = []
    for number in range(rounds):
        pairs.append((case.ours(), case.theirs()))
        say(f"  {number + 1}/{rounds}: {pairs[-1][0]:.3f} {case.unit}, {pairs[-1][1]:.3f} {case.unit}")
    ours, theirs = (list(column) for column in zip(*pairs, strict=True))
    return Outcome(
        **{name: getattr(case, name) for name in ("name", "title", "peer", "aim", "unit", "reason")},
        ours=ours,
        theirs=theirs,
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        load=os.getloadavg()[1],
        machine=machine(),
    )


def machine() -> dict[str, str]:
    """What the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "processors": str(os.cpu_count()),
        "memory": f"{memory:.0f} GB",
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "Docker": _first_line(["docker", "version", "--format", "{{.Server.Version}}"]),
        "OpenSSH": _first_line(["ssh", "-V"]),
        "toolkit": _first_line(["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]),
    }


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def _first_line(argv: Sequence[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError:
        return "none"
    return ((done.stdout or done.stderr).strip().splitlines() or ["unknown"])[0]

"""What short commands cost: their processor time, and the time until a launch shows something on a terminal.

    python -m benchmarks.startup [--beside CHECKOUT]

Prints the least of fifteen measurements of each command, of the agent's commands in the bucket image with and without
its compiled Python, and, with `--beside`, of the commands in another checkout of the tool, in turn. Needs a running
engine; about 2 minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from benchmarks.compare.groups.cli import fill
from benchmarks.compare.workspace import TOOLKIT, Workspace
from benchmarks.launched import ROOT, load

_RUNS = 15
_EXAMPLE = ROOT / "examples" / "mnist" / "manifest.yml"
_COMMANDS = (
    ("--help",),
    ("manifest", "check", _EXAMPLE),
    ("launch", "--dry-run", _EXAMPLE),
    ("runs",),
)
_AGENT = f"""
import os, sys
def milliseconds():
    pid = os.spawnvp(os.P_NOWAIT, "python3", ["python3", "-m", "toolkit.agent", "state"])
    used = os.wait4(pid, 0)[2]
    return (used.ru_utime + used.ru_stime) * 1000
print(min(milliseconds() for _ in range({_RUNS})), file=sys.stderr)
"""


def milliseconds(words: Sequence[object], checkout: Path, variables: dict[str, str]) -> float:
    """The processor time of a command of the tool in `checkout`, and of its children."""
    argv = [sys.executable, "-m", "toolkit", *map(str, words)]
    process = subprocess.Popen(argv, cwd=checkout, env={**os.environ, **variables}, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(argv)}: wait status {status}")
    return (used.ru_utime + used.ru_stime) * 1000


def agent(image: str, *flags: str) -> float:
    """The same of the agent's smallest command, in a container like those of a run, with a read-only root."""
    argv = ["docker", "run", "--rm", "--network", "none", "--read-only", *flags, "--entrypoint", "python3", image]
    done = subprocess.run([*argv, "-c", _AGENT], capture_output=True, text=True, check=True)
    return float(done.stderr.splitlines()[-1])


def first_sign(checkout: Path, variables: dict[str, str]) -> float:
    """Milliseconds until `toolkit launch` writes to its terminal; the manifest is missing, so that it ends soon."""
    argv = [sys.executable, "-m", "toolkit", "launch", "/missing.yml"]
    terminal, theirs = pty.openpty()
    start = time.perf_counter()
    with subprocess.Popen(
        argv, cwd=checkout, env={**os.environ, **variables}, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        os.read(terminal, 1)
        seconds = time.perf_counter() - start
        with suppress(OSError):  # Linux says so at the end of a terminal's output
            while os.read(terminal, 1 << 16):
                pass
        os.close(terminal)
        process.wait()
    return seconds * 1000


def row(title: str, *figures: float) -> None:
    """One line of the table, in milliseconds."""
    print(f"{title:<44}{''.join(f'{figure:16.0f}' for figure in figures)}", flush=True)


def least(measure: Callable[[Path], float], checkouts: Sequence[Path]) -> list[float]:
    """The least measurement of each checkout, measured in turn."""
    rounds = [[measure(checkout) for checkout in checkouts] for _ in range(_RUNS)]
    return [min(column) for column in zip(*rounds, strict=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT")
    beside = parser.parse_args().beside
    checkouts = [ROOT, *([beside.resolve()] if beside else [])]
    with tempfile.TemporaryDirectory(prefix="toolkit-startup-") as folder:
        space = Workspace(Path(folder))
        built = json.loads(space.run([TOOLKIT, "build", "--json", _EXAMPLE]))
        fill(space)
        print(f"{'milliseconds':<44}{''.join(f'{checkout.name:>16}' for checkout in checkouts)}")
        for words in _COMMANDS:
            title = " ".join(str(word) for word in words if word != _EXAMPLE)
            row(f"toolkit {title}", *least(partial(milliseconds, words, variables=space.variables), checkouts))
        signs = least(partial(first_sign, variables=space.variables), checkouts)
        row("launch, until it writes to the terminal", *signs)
    image = built["buckets_image"]["reference"]
    row("agent: compiled, from source", agent(image), agent(image, "--env", "PYTHONPYCACHEPREFIX=/nowhere"))
    print(load(0))


if __name__ == "__main__":
    main()

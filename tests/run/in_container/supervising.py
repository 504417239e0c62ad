"""Running the supervisor as the program that it is inside learner 1, and one of its steps by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from toolkit.run.in_container import supervise
from toolkit.run.in_container.learners import Beats
from toolkit.run.in_container.logs import Logs

PLACE = Path(supervise.__file__).parent.parent
"""What holds the package `in_container`, as a learner's folder does."""
TWO: list[dict[str, Any]] = [
    {"number": 1, "hostname": "learner-1", "ranks": [0]},
    {"number": 2, "hostname": "learner-2", "ranks": [1]},
]
ANSWERING = [TWO[0], {"number": 2, "hostname": "127.0.0.1", "ranks": [1]}]
BOTH_HERE: list[dict[str, Any]] = [{"number": 1, "hostname": "learner-1", "ranks": [0, 1]}]
# A stand-in for ssh to another learner: it answers what it is sent, as `beat.sh` does there.
ANSWERING_AGENT = ["/bin/sh", "-c", 'while read -r beat; do echo "$beat"; [ "$beat" != end ] || exit 0; done']
SILENT_AGENT = ["/bin/sh", "-c", "exec sleep 60"]


def say(text: str, status: int = 0) -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.stdout.write({text!r}); sys.stdout.flush(); sys.exit({status})"]


def step(number: int, argv: list[str], *, parallel: bool = False, each: str = "rank") -> dict[str, Any]:
    return {"number": number, "command": f"command-{number}", "argv": argv, "parallel": parallel, "each": each}


def start(folder: Path, steps: list[dict[str, Any]], learners: list[dict[str, Any]], **more: Any) -> Any:
    """The supervisor as a program, with its start signal."""
    plan: dict[str, Any] = {"logs": str(folder), "control": str(folder), "learners": learners, "steps": steps}
    plan |= {"port": 1, "open_mpi": 4, "start_deadline": 0.3}
    plan |= {"agent": ANSWERING_AGENT, "lost": 10, "grace": 5} | more
    (folder / "run.json").write_text(json.dumps(plan))
    (folder / "go").touch()
    argv = [sys.executable, "-E", "-m", "in_container.supervise", str(folder / "run.json")]
    return subprocess.Popen(argv, cwd=PLACE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def supervised(
    folder: Path, steps: list[dict[str, Any]], learners: list[dict[str, Any]] = TWO[:1], **more: Any
) -> tuple[int, list[str]]:
    """Run the supervisor to its end: its status, and the run's lines without their times."""
    process = start(folder, steps, learners, **more)
    printed, _ = process.communicate(timeout=30)
    assert printed == b"", "it writes its lines to a file, and nothing else"
    return process.returncode, output(folder)


def output(folder: Path) -> list[str]:
    file = folder / "output.log"
    return [line.partition(" ")[2] for line in file.read_text().splitlines()] if file.exists() else []


def status_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "status.json").read_text())
    return found


def run_step(
    folder: Path, argv: list[str], *, parallel: bool = False, expect: int = 0, more: dict[str, Any] | None = None
) -> tuple[bytes, bytes]:
    """One step by itself: both learners' logs."""
    logs = Logs(str(folder), TWO)
    plan = {"logs": str(folder), "control": str(folder), "learners": TWO, "start_deadline": 60}
    watch = supervise.Watch(plan, logs, Beats([], 0, [], 10))
    assert supervise.run_step(step(1, argv, parallel=parallel) | (more or {}), logs, watch) == expect
    first, second = ((folder / f"learner-{number}" / "training-log.txt").read_bytes() for number in (1, 2))
    return first, second

"""Runs programs, each on two ranks: run_all.py FOLDER. One line of JSON for each: its name, its status, its output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SECONDS = 180
MPIRUN = ("mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np", "2")


def run(program: Path, variables: dict[str, str]) -> dict[str, object]:
    environment = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *extra()])}
    argv = ["timeout", str(SECONDS), *MPIRUN, sys.executable, str(program)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, errors="replace")
    return {"name": program.stem, "status": done.returncode, "output": (done.stdout + done.stderr)[-6000:]}


def extra() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    plan: dict[str, dict[str, str]] = json.loads((folder / "plan.json").read_text())
    for name, variables in plan.items():
        print(json.dumps(run(folder / f"{name}.py", variables)), flush=True)

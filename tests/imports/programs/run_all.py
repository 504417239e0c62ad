"""Runs programs, each on two ranks: run_all.py FOLDER. One line of JSON for each: its name, its status, its output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

MPIRUN = ("mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np", "2")


def run(program: Path, variables: dict[str, str]) -> dict[str, object]:
    """What became of one program. Beside what is on Python's path it finds `training`."""
    path = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "DDL_OPTIONS": "-mode b:2x1", **variables, "PYTHONPATH": os.pathsep.join(path)}
    argv = ["timeout", "300", *MPIRUN, sys.executable, str(program)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, errors="replace")
    return {"name": program.stem, "status": done.returncode, "output": (done.stdout + done.stderr)[-6000:]}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, variables in json.loads((folder / "plan.json").read_text()).items():
        print(json.dumps(run(folder / f"{name}.py", variables)), flush=True)

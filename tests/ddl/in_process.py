"""Runs Python code in a process of its own, with `ddl` on its path: what an import does, it does once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "images" / "ddl"


def run(program: str, *folders: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process with just these variables, and PATH; `folders` are on Python's path, too."""
    path = os.pathsep.join([str(PACKAGE), *folders])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, **environment}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)

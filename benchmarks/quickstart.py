"""How long a newcomer waits: ./quickstart in a fresh clone, the first time and the second.

    python benchmarks/quickstart.py --remove-images

The first time everything is downloaded and built, so the tool's own images are removed first; hence the flag. The clone
and its home (buckets, wheels, keys) are in a folder that is removed. Docker Engine and mmdebstrap stay as they are.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ("toolkit-base", "toolkit-buckets", "tensorflow-ddl-*")


def remove_images() -> None:
    """Every version of the tool's images on this machine, the children first."""
    for name in reversed(IMAGES):
        argv = ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", name]
        found = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
        if found:
            subprocess.run(["docker", "rmi", *found], check=True, stdout=subprocess.DEVNULL)


def quickstart(clone: Path, home: Path) -> float:
    """Seconds of one run; what it prints goes to standard error."""
    start = time.perf_counter()
    environment = {**os.environ, "TOOLKIT_HOME": str(home)}
    subprocess.run(["./quickstart"], cwd=clone, env=environment, check=True, stdout=sys.stderr)
    return time.perf_counter() - start


def main() -> None:
    """Twice, and a line for each."""
    parser = argparse.ArgumentParser(description="Time ./quickstart in a fresh clone, twice.")
    parser.add_argument("--remove-images", action="store_true", required=True, help="yes, remove the tool's images")
    parser.parse_args()
    remove_images()
    with tempfile.TemporaryDirectory() as folder:
        clone, home = Path(folder) / "clone", Path(folder) / "home"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        print(f"first quickstart   {quickstart(clone, home):6.1f} s", flush=True)
        print(f"second quickstart  {quickstart(clone, home):6.1f} s", flush=True)


if __name__ == "__main__":
    main()

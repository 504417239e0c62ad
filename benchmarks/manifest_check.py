"""What `toolkit manifest check` takes for 1,000 manifests in one call: time for each, and peak memory. Some seconds.

    python benchmarks/manifest_check.py

The files are those of `tests/corpus`, each many times; those of `tests/manifest/corpus/bad` have errors.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = 1000
KINDS = {"good": ROOT / "tests" / "corpus", "with errors": ROOT / "tests" / "manifest" / "corpus" / "bad"}


def main() -> None:
    """Measure both kinds, and print a line for each."""
    print(f"{'files':<12}  {'each':>8}  {'in all':>7}  {'peak memory':>11}")
    for name, folder in KINDS.items():
        child = os.fork()  # the largest child of a process is what it can ask for: one process for each kind
        if not child:
            measure(name, sorted(folder.glob("*.yml")))
            os._exit(0)
        os.waitpid(child, 0)


def measure(name: str, samples: list[Path]) -> None:
    """Check `FILES` copies of `samples` in one call."""
    with tempfile.TemporaryDirectory() as made:
        copies = [Path(made) / f"{number:04}.yml" for number in range(FILES)]
        for number, copy in enumerate(copies):
            shutil.copyfile(samples[number % len(samples)], copy)
        argv = [sys.executable, "-m", "toolkit", "manifest", "check", *map(str, copies)]
        began = time.perf_counter()
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, check=False)
        seconds = time.perf_counter() - began
    assert done.returncode in (0, 2), done.stderr.decode()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{name:<12}  {1000 * seconds / FILES:5.1f} ms  {seconds:5.1f} s  {peak:8.0f} MB", flush=True)


if __name__ == "__main__":
    main()

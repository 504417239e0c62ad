"""A broadcast beside a reduction of the same tensor over ranks of this machine, called eagerly.

    PYTHON benchmarks/broadcast.py [--ranks N] [--bind-to none|core] [--steps N] [--package images/ddl]

PYTHON is one with TensorFlow: `.tox/ddl/bin/python`, which `tox -e ddl --notest` makes. Prints medians in milliseconds.
Calls of the two take turns in one program, so that both suffer alike from what else the machine does. `--package` may
be another checkout's, to compare with. Needs g++, libopenmpi-dev and openmpi-bin.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CASES = {"4 KB": 1 << 10, "256 KB": 1 << 16, "4 MB": 1 << 20, "64 MB": 1 << 24}


def of_a_rank(steps: int) -> None:
    """What each rank does: prints a row of medians for each way, on rank 0."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import ddl
    import numpy as np
    import tensorflow as tf

    for framework, make in (("TensorFlow", tf.ones), ("NumPy", lambda size: np.ones(size, "f"))):
        rows: dict[str, list[float]] = {"bcast": [], "allreduce_n": []}
        for size in CASES.values():
            given = make(size)
            ways: dict[str, Callable[[], object]] = {
                "bcast": lambda given=given: ddl.bcast(given),
                "allreduce_n": lambda given=given: ddl.allreduce_n([given], average=False),
            }
            seconds: dict[str, list[float]] = {way: [] for way in ways}
            few = max(5, steps // 20) if size > 1 << 16 else steps
            for step in range(few + few // 5):
                for way, call in ways.items():
                    begin = time.perf_counter()
                    call()
                    if step >= few // 5:
                        seconds[way].append(time.perf_counter() - begin)
            for way, row in rows.items():
                row.append(1000 * statistics.median(seconds[way]))
        if ddl.rank() == 0:
            for way, row in rows.items():
                print("ROW", json.dumps([f"{framework}, {way}", row]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--bind-to", default="none")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--package", type=Path, default=ROOT / "images" / "ddl")
    parser.add_argument("--rank", action="store_true", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.rank:
        of_a_rank(words.steps)
        return
    with tempfile.TemporaryDirectory() as libraries:
        subprocess.run([sys.executable, words.package / "native" / "build.py", libraries], check=True)
        environment = {
            **os.environ,
            "DDL_OPTIONS": f"-mode p:{words.ranks}x1",
            "LD_LIBRARY_PATH": libraries,
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "PYTHONPATH": str(words.package),
        }
        argv = ["mpirun", "--oversubscribe", "--bind-to", words.bind_to, "-np", str(words.ranks), sys.executable]
        argv += [__file__, "--rank", "--steps", str(words.steps)]
        done = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    print(
        f"{words.ranks} ranks, bound to {words.bind_to}, milliseconds a call (medians); load {os.getloadavg()[0]:.1f}"
    )
    print(f"{'':26}" + "".join(f"{name:>10}" for name in CASES))
    for line in done.stdout.splitlines():
        if line.startswith("ROW "):
            way, row = json.loads(line.removeprefix("ROW "))
            print(f"{way:<26}" + "".join(f"{value:10.3f}" for value in row))


if __name__ == "__main__":
    main()

"""Reading training data through a run's mount, beside `rclone copy` of the same objects to the disk.

Four readers at a time, as `rclone copy` has four transfers; each reads whole files, and nothing is read twice.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.compare.case import Case
from benchmarks.compare.groups.results import WRITER, Amount
from benchmarks.compare.store import RCLONE, S3, serving
from benchmarks.compare.workspace import TOOLKIT, Workspace
from benchmarks.launched import write_manifest

_ROUNDS = 3
_AMOUNTS = (Amount("1gb", "1 GB", 1, 1_000_000_000), Amount("10000", "10,000 × 100 kB", 10_000, 100_000))
_REASON = "each read passes the kernel and rclone's mount, and each file is opened, looked up and closed there."
_READER = '''"""Reads all files below FOLDER, four at a time; prints the seconds."""

import os, sys, time
from concurrent.futures import ThreadPoolExecutor
folder = sys.argv[1]

def read(name):
    size = 0
    with open(os.path.join(folder, name), "rb", buffering=0) as file:
        while piece := file.read(1 << 20):
            size += len(piece)
    return size

began = time.perf_counter()
with ThreadPoolExecutor(4) as pool:
    total = sum(pool.map(read, sorted(os.listdir(folder))))
print("read", total, time.perf_counter() - began, flush=True)
'''


@contextmanager
def cases(space: Workspace) -> Iterator[list[Case]]:
    """For both amounts, from a store of the benchmark's own."""
    with serving(space, "127.0.0.1") as store:
        reading = Reading(space, store)
        yield [
            Case(
                *(f"read-{amount.name}", f"reading {amount.title} through the mount", "rclone copy", 1.11),
                *(partial(reading.ours, amount), partial(reading.theirs, amount), _REASON, _ROUNDS),
            )
            for amount in _AMOUNTS
        ]


class Reading:
    """Runs that read, and rclone for the same objects."""

    def __init__(self, space: Workspace, store: S3) -> None:
        self._space, self._store = space, store
        self._config = space.folder / "rclone.conf"
        self._config.write_text(store.rclone_config)
        writer = space.folder / "write.py"
        writer.write_text(WRITER)
        for amount in _AMOUNTS:
            folder = store.folder / store.data / amount.name
            space.run([sys.executable, writer, folder, amount.files, amount.size])

    def ours(self, amount: Amount) -> float:
        """Seconds that a run's program reads."""
        code = self._space.folder / "code"
        code.mkdir(exist_ok=True)
        (code / "read.py").write_text(_READER)
        steps = {"steps": [{"command": f"python read.py $DATA_DIR/{amount.name}", "ranks": "one"}]}
        manifest = write_manifest(code, steps, "cpu", 1, **self._store.references)
        record = json.loads(self._space.run([TOOLKIT, "launch", "--json", manifest], **self._store.keys))
        log = self._store.folder / self._store.bucket / record["training_id"] / "_run" / "output.log"
        (words,) = [line.split() for line in log.read_text().splitlines() if " read " in line and "python" not in line]
        if int(words[-2]) != amount.files * amount.size:
            sys.exit(f"{words}: not all was read")
        return float(words[-1])

    def theirs(self, amount: Amount) -> float:
        """Seconds for a copy to the disk."""
        folder: Path = self._space.folder / "copied"
        shutil.rmtree(folder, ignore_errors=True)
        return self._space.timed(
            RCLONE, "--config", self._config, "copy", f"s:{self._store.data}/{amount.name}", folder
        )()

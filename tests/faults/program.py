"""A program that says of each file that it has closed what is in it, and the proof that the bucket has the same."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

WRITER = """
import hashlib, os, sys, time
from pathlib import Path
rank, results = os.environ["OMPI_COMM_WORLD_RANK"], Path(os.environ["RESULT_DIR"])
def close(name, data):
    file = results / name
    with file.open("wb") as stream:
        stream.write(data)
    print("CLOSED", hashlib.sha256(data).hexdigest(), name, flush=True)
count, pause, size = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
for n in range(count):
    close("part-%s-%d" % (rank, n), os.urandom(size))
    time.sleep(pause)
"""
"""`program.py COUNT PAUSE BYTES`: every rank closes so many files of its own, with so many seconds between them."""

_CLOSED = re.compile(r"CLOSED ([0-9a-f]{64}) (.+)$", re.MULTILINE)


def closed(said: str | Iterable[str]) -> dict[str, str]:
    """The SHA-256 of each file that the program says it has closed."""
    text = said if isinstance(said, str) else "\n".join(said)
    return {name.strip(): digest for digest, name in _CLOSED.findall(text)}


def stored(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of each of these objects, where it is there."""
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names if (folder / name).is_file()
    }

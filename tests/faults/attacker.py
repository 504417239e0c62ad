"""Programs that attack the run that they are part of, and the search for what they may have got."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..real.bench import Bench
from .program import WRITER
from .shell import docker

KINDS = ("keys", "key file", "root", "process", "FIFO", "socket", "directory", "sparse terabyte")
PLANTER = (
    WRITER
    + """
import shutil, socket
kind = sys.argv[4]
def plant(path):
    try:
        if os.path.lexists(path):
            os.rename(path, path + ".before")
        if kind in LINKS:
            os.symlink(LINKS[kind], path)
        elif kind == "FIFO":
            os.mkfifo(path)
        elif kind == "socket":
            socket.socket(socket.AF_UNIX).bind(path)
        elif kind == "directory":
            os.mkdir(path)
        elif kind == "sparse terabyte":
            with open(path, "wb") as stream:
                stream.truncate(1 << 40)
        else:
            with open(path, "w") as stream:
                stream.write("[" * 200000)
    except OSError as error:
        print("not planted", path, error, flush=True)
LINKS = {"keys": "/run/private", "key file": "/run/private/rclone.conf", "root": "/", "process": "/proc/1/root"}
logs, checkpoints = Path("/run/logs"), Path(os.environ["CHECKPOINT_DIR"])
if rank == "0":
    own = ["output.log", "status.json", "ranks/1.0", "ranks/1.1", "weights/1.jsonl", "go", "heartbeat", "agent"]
    for name in [*own, "learner-1/training-log.txt", "learner-2/training-log.txt", "beat.2"]:
        plant(str(logs / name))
    for place in (results / "x", results / "metrics.json", checkpoints / "x", Path("/job/code/program.py")):
        plant(str(place))
    for place in ("/run/agent/go", "/run/agent/heartbeat", "/run/learner/run.json", "/mnt/results/x"):
        plant(place)
time.sleep(2)
"""
)
"""`program.py COUNT PAUSE BYTES KIND`: closes files, then puts something of that kind wherever it can write."""

LOOTER = (
    WRITER
    + """
loot = []
for top in ("/run", "/proc", "/mnt", "/job", "/tmp", "/dev/shm", "/var/run", "/home", "/root"):
    for folder, folders, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if folder.startswith("/proc/sys") or "/task/" in folder:
                continue
            try:
                handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                loot.append(path.encode() + b": " + os.read(handle, 65536))
                os.close(handle)
            except OSError:
                pass
close("loot-%s" % rank, b"\\n".join(loot))
time.sleep(3)
"""
)
"""Closes files, and one with all that its rank can read."""


def canaries(bench: Bench) -> dict[str, str]:
    """The keys of the embedded store, which no program, log, record or command line may show."""
    keys: dict[str, str] = json.loads((bench.home / "embedded-keys.json").read_text())
    return keys


def seen_by_the_engine(run: str) -> str:
    """All that the engine tells of a run's containers: how they were made, and what they printed."""
    names = docker("ps", "--all", "--format", "{{.Names}}", "--filter", f"label=toolkit.run={run}").split()
    assert names
    return "\n".join([docker("inspect", *names), *(docker("logs", name) for name in names)])


def places_of(bench: Bench, text: str, *more: str) -> list[str]:
    """Where `text` is found: in the files of buckets and records, and in `more`."""
    found = [f"text {number}" for number, one in enumerate(more) if text in one]
    for top in (bench.home / "buckets", bench.home / "runs"):
        for folder, _, names in os.walk(top):
            files = [Path(folder, name) for name in names]
            found += [
                str(file) for file in files if file.stat().st_size < 1 << 26 and text.encode() in file.read_bytes()
            ]
    return found

"""What a run cannot do to the machine that others work on, and what others' commands do not do to a run."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from toolkit.paths import assets

from .bench import Bench

pytestmark = pytest.mark.usefixtures("left_nothing")

LIMIT = 192
FOR_EVER = """
import os, sys
if os.environ["OMPI_COMM_WORLD_RANK"] == sys.argv[1]:
    while True:
        try:
            os.fork()
        except OSError:
            pass
"""
ONCE = """
import os, sys
if os.environ["OMPI_COMM_WORLD_RANK"] == sys.argv[1]:
    while True:
        os.fork()
"""
THREADS = """
import os, sys, threading, time
if os.environ["OMPI_COMM_WORLD_RANK"] == sys.argv[1]:
    while True:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
"""


def cluster_of(folder: Path) -> Path:
    """This machine, with few processes for a rank."""
    text = (assets() / "clusters" / "local.yml").read_text()
    assert "processes: 4096" in text
    file = folder / "few.yml"
    file.write_text(text.replace("processes: 4096", f"processes: {LIMIT}"))
    return file


def inspected(noun: str, run: str) -> list[dict[str, Any]]:
    words = ["docker", noun, "ls", "--quiet", "--filter", f"label=toolkit.run={run}"]
    names = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    if not names:
        return []
    done = subprocess.run(["docker", noun, "inspect", *names], check=True, capture_output=True, text=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


PROGRAMS = [
    pytest.param(FOR_EVER, id="for ever", marks=pytest.mark.slow),
    pytest.param(ONCE, id="once", marks=pytest.mark.slow),
    pytest.param(THREADS, id="threads"),
]


@pytest.mark.parametrize("learner", [1, 2])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_starts_processes_without_end_ends_and_is_named(
    bench: Bench, tmp_path: Path, program: str, learner: int
) -> None:
    manifest = bench.manifest(tmp_path / "job", f"python program.py {learner - 1}", program)
    done = bench.run("launch", "--cluster", cluster_of(tmp_path), manifest, timeout=240)
    record = bench.newest()
    assert (record["state"], record["end"], record["error_code"]) == ("FAILED", "out of processes", "C201"), record
    assert record["reason"].startswith(f"learner-{learner} met its limit of ")
    assert "limits: {processes: NUMBER}" in done.stderr
    assert done.returncode == 1


def test_every_container_of_a_run_is_confined(bench: Bench, tmp_path: Path) -> None:
    """And another person's clean, with a home of its own on the same engine, takes nothing of it."""
    program = "import os, time\nwhile not os.path.exists(os.environ['RESULT_DIR'] + '/enough'): time.sleep(0.2)\n"
    manifest = bench.manifest(tmp_path / "job", "python program.py", program)
    run = bench.ok("launch", "--detach", "--json", manifest).stdout
    run_id = json.loads(run)["training_id"]
    try:
        wait_for_state(bench, run_id, "PROCESSING")
        containers = inspected("container", run_id)
        assert len(containers) >= 3
        for one in containers:
            assert one["HostConfig"]["PidsLimit"] == 4096, one["Name"]
            assert "no-new-privileges" in one["HostConfig"]["SecurityOpt"], one["Name"]
        other = Bench(tmp_path / "other-home")
        before = {noun: names_of(noun, run_id) for noun in ("container", "volume", "network")}
        for words in (("clean",), ("clean", "--orphans")):
            said = other.ok(*words)
            assert "removed" not in said.stdout.replace("nothing removed", "")
            assert {noun: names_of(noun, run_id) for noun in before} == before
    finally:
        bench.run("stop", run_id)
    assert bench.newest()["state"] == "HALTED"


def names_of(noun: str, run: str) -> list[str]:
    return sorted(str(one.get("Name")) for one in inspected(noun, run))


def wait_for_state(bench: Bench, run: str, state: str) -> None:
    deadline = time.monotonic() + 120
    while json.loads(bench.ok("show", run, "--json").stdout)["state"] != state:
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.alone
def test_what_a_colleagues_commands_have_at_work_is_not_cleaned_and_what_they_left_is(
    bench: Bench, tmp_path: Path, image: str
) -> None:
    """A check of a model and a relay of a shipment as they run, one that is about to start, and one that has ended."""
    labels = {"at-work": "training-strange2-wxyz2345", "relay": "ship-0123456789ab", "created": "ship-0123456789ac"}
    labels["ended"] = "training-strange3-wxyz2345"
    names = {name: f"hosts-test-{tmp_path.name}-{name}" for name in labels}
    run = ["docker", "run", "--detach", "--init", "--network", "none"]
    try:
        for name, label in labels.items():
            start = ["docker", "create", "--network", "none"] if name == "created" else run
            command = "true" if name == "ended" else "sleep 600"
            words = ["--name", names[name], "--label", f"toolkit.run={label}", image, *command.split()]
            subprocess.run([*start, *words], check=True, capture_output=True)
        subprocess.run(["docker", "wait", names["ended"]], check=True, capture_output=True)
        other = Bench(tmp_path / "other-home")
        other.ok("clean")
        assert there(names) == set(labels)
        other.ok("clean", "--orphans")
        assert there(names) == {"at-work", "relay", "created"}
    finally:
        subprocess.run(["docker", "rm", "--force", *names.values()], check=False, capture_output=True)


def there(names: dict[str, str]) -> set[str]:
    listed = subprocess.run(
        ["docker", "ps", "--all", "--format", "{{.Names}}"], check=True, capture_output=True, text=True
    ).stdout.split()
    return {name for name, container in names.items() if container in listed}


LISTENING = """
import ctypes, os
mpi = ctypes.CDLL("libmpi.so.40", mode=ctypes.RTLD_GLOBAL)
assert mpi.MPI_Init(None, None) == 0
mine = set()
for name in os.listdir("/proc/self/fd"):
    try:
        mine.add(os.readlink("/proc/self/fd/" + name))
    except OSError:
        pass
for table in ("tcp", "tcp6"):
    for line in open("/proc/self/net/" + table).read().splitlines()[1:]:
        cells = line.split()
        if cells[3] == "0A" and "socket:[%s]" % cells[9] in mine:
            print("listens", table, cells[1].partition(":")[0], flush=True)
print("looked", flush=True)
mpi.MPI_Finalize()
"""


@pytest.mark.parametrize("nodes", [1, 2])
def test_where_ranks_listen(bench: Bench, tmp_path: Path, nodes: int) -> None:
    """With one learner nowhere. With more by Open MPI's TCP alone, which takes every address: docs/security.md."""
    manifest = bench.manifest(tmp_path / "job", "python program.py", LISTENING, nodes=nodes)
    record = bench.launch(manifest)
    said = [line.split("] ")[-1] for n in range(1, nodes + 1) for line in bench.log(record["training_id"], n)]
    assert sum(line.endswith("looked") for line in said) == nodes
    listens = sorted(line[line.index("listens") :] for line in said if "listens" in line)
    assert listens == sorted(["listens tcp 00000000", f"listens tcp6 {'0' * 32}"] * nodes * (nodes > 1))

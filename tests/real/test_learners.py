"""What a learner sees, and what it must not see."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from .bench import Bench, ours, read_until

PROGRAM = """
import json, os, socket
from pathlib import Path
data = Path(os.environ["DATA_DIR"])
try:
    (data / "new").write_text("x")
    writable = True
except OSError:
    writable = False
print("SEEN " + json.dumps({
    "environment": dict(os.environ),
    "uid": os.getuid(),
    "folder": os.getcwd(),
    "data": sorted(file.name for file in data.iterdir()),
    "data_writable": writable,
    "address": socket.gethostbyname(socket.gethostname()),
    "capabilities": [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")],
}))
"""


@pytest.fixture(scope="module")
def seen(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, list[dict]]:
    """One run of a program that prints what it sees: the record, and what each rank saw, then the second command."""
    folder = tmp_path_factory.mktemp("look")
    record = bench.launch(bench.manifest(folder, "python program.py ; python program.py", PROGRAM))
    lines = bench.log(record["training_id"], 1) + bench.log(record["training_id"], 2)
    found = [json.loads(line.split("SEEN ", 1)[1]) | {"rank": line[1]} for line in lines if "SEEN " in line]
    return record, found


def test_the_first_command_runs_on_every_rank_and_the_second_once(seen: tuple[dict, list[dict]]) -> None:
    _, found = seen
    ranks = [look["environment"].get("OMPI_COMM_WORLD_RANK") for look in found]
    assert sorted(ranks, key=str) == ["0", "1", None]


def test_the_contracts_variables_are_set(seen: tuple[dict, list[dict]]) -> None:
    record, found = seen
    results = f"/mnt/results/mnist-training-models/{record['training_id']}"
    for look in found:
        environment = look["environment"]
        expected = {
            "DATA_DIR": "/mnt/data/mnist-training-data",
            "RESULT_DIR": results,
            "CHECKPOINT_DIR": "/mnt/results/mnist-training-models/_wml_checkpoints",
            "MODEL_DIR": "/job/code",
            "LOG_DIR": f"{results}/logs",
            "TRAINING_ID": record["training_id"],
            "NUM_LEARNERS": "2",
            "GPU_COUNT": "1",
            "DDL_OPTIONS": "-mode p:1x2",
            "PYTHONPATH": "/job/code",
        }
        assert {name: environment.get(name) for name in expected} == expected
        assert look["folder"] == "/job/code"
        assert environment["PATH"].startswith("/opt/venv/bin:")


def test_each_learner_has_its_own_number_and_address(seen: tuple[dict, list[dict]]) -> None:
    _, found = seen
    by_rank = {look["environment"].get("OMPI_COMM_WORLD_RANK"): look for look in found}
    assert {rank: by_rank[rank]["environment"]["LEARNER_ID"] for rank in ("0", "1")} == {"0": "1", "1": "2"}
    assert by_rank["0"]["address"] != by_rank["1"]["address"]


def test_the_data_is_there_and_read_only(seen: tuple[dict, list[dict]]) -> None:
    _, found = seen
    for look in found:
        assert "train-images-idx3-ubyte.gz" in look["data"]
        assert look["data_writable"] is False


def test_learners_are_unprivileged(seen: tuple[dict, list[dict]]) -> None:
    _, found = seen
    for look in found:
        assert look["uid"] == 61000
        assert look["capabilities"] == ["CapEff:\t0000000000000000"]


def test_no_key_of_the_store_is_anywhere(bench: Bench, tmp_path: Path) -> None:
    """Looked for while a run is on: processes, every container's description; afterwards: everything it stored."""
    keys = list(json.loads((bench.home / "embedded-keys.json").read_text()).values())
    program = "import time; print('waiting', flush=True); time.sleep(6)"
    manifest = bench.manifest(tmp_path / "code", "python program.py", program)
    process = bench.start("launch", "--id-file", tmp_path / "id", manifest)
    said = read_until(process, "waiting")
    processes = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
    containers = ours(bench)["containers"]
    described = subprocess.run(["docker", "inspect", *containers], check=True, capture_output=True, text=True).stdout
    said += process.communicate(timeout=120)[0]
    training_id = (tmp_path / "id").read_text().strip()
    stored = "".join(file.read_text() for file in bench.results(training_id).rglob("*") if file.is_file())
    record = (bench.home / "runs" / f"{training_id}.json").read_text()
    assert len(containers) >= 4
    assert re.search("rclone", processes)
    for key in keys:
        for place in (processes, described, said, stored, record):
            assert key not in place


def test_one_node_runs_under_mpirun_too(bench: Bench, tmp_path: Path, left_nothing: None) -> None:
    program = "import os; print('rank', os.environ['OMPI_COMM_WORLD_RANK'], 'of', os.environ['OMPI_COMM_WORLD_SIZE'])"
    record = bench.launch(bench.manifest(tmp_path, "python program.py", program, nodes=1))
    assert bench.log(record["training_id"], 1) == ["[0] rank 0 of 1"]


def test_long_and_partial_lines_of_ranks_are_kept_whole(bench: Bench, tmp_path: Path) -> None:
    program = (
        "import os, sys, time\n"
        "rank = os.environ['OMPI_COMM_WORLD_RANK']\n"
        "print(rank * 20000, flush=True)\n"
        "for i in range(50):\n"
        "    sys.stdout.write(f'<{rank}:{i}'); sys.stdout.flush(); time.sleep(0.002); print('>', flush=True)\n"
    )
    record = bench.launch(bench.manifest(tmp_path, "python program.py", program))
    for rank in (0, 1):
        expected = [str(rank) * 20000, *(f"<{rank}:{i}>" for i in range(50))]
        assert bench.log(record["training_id"], rank + 1) == [f"[{rank}] {line}" for line in expected]


def test_two_runs_at_once_do_not_meet(bench: Bench, tmp_path: Path, left_nothing: None) -> None:
    program = "import os, time; time.sleep(2); print(os.environ['TRAINING_ID'], flush=True)"
    manifest = bench.manifest(tmp_path / "code", "python program.py", program)
    processes = [bench.start("launch", "--id-file", tmp_path / str(n), manifest) for n in (1, 2)]
    deadline = time.monotonic() + 120
    said = [process.communicate(timeout=deadline - time.monotonic())[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    for number in (1, 2):
        training_id = (tmp_path / str(number)).read_text().strip()
        assert bench.log(training_id, 2) == [f"[1] {training_id}"]

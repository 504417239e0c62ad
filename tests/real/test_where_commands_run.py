"""Where a manifest's commands run: on every rank, once on each learner, once; and what each process finds around it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .bench import Bench
from .lab import RealLab

SHOWS = """
import json, os
names = [name for name in os.environ if name.startswith(("OMPI_", "PMIX_", "PRTE_", "PMI_"))]
keys = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "DDL_OPTIONS")
keys += ("LEARNER_ID", "NUM_LEARNERS", "GPU_COUNT")
print("SEES " + json.dumps({key: os.environ.get(key) for key in keys} | {"mpi": len(names) > 0}), flush=True)
"""
MEETS = """
import os, socket, time
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if rank == 0:
    with socket.create_server(("", place[1])) as server:
        heard = sorted(server.accept()[0].recv(100).decode() for _ in range(size - 1))
    print("MET", *heard, flush=True)
else:
    for _ in range(100):
        try:
            with socket.create_connection(place, timeout=5) as there:
                there.sendall(f"{rank} of {size}, local {os.environ['LOCAL_RANK']}".encode())
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
"""


@pytest.fixture
def lab(training_lab: RealLab) -> RealLab:
    return training_lab


def with_steps(manifest: Path, steps: list[dict[str, str]], compute: str = "p100") -> Path:
    """The manifest with `steps` in place of its command."""
    lines = manifest.read_text().splitlines()
    at = next(index for index, line in enumerate(lines) if line.strip().startswith("command:"))
    lines[at] = f"    steps: {json.dumps(steps)}"
    manifest.write_text("\n".join(lines).replace("name: p100 ", f"name: {compute} ") + "\n")
    return manifest


def seen(log: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line.split("SEES ", 1)[1]) for line in log if "SEES " in line]


def test_a_command_of_each_node_runs_once_there_and_finds_no_mpi(
    bench: Bench, tmp_path: Path, left_nothing: None
) -> None:
    manifest = bench.manifest(tmp_path, "x", SHOWS)
    steps = [{"command": "python program.py", "ranks": ranks} for ranks in ("all", "node", "one")]
    record = bench.launch(with_steps(manifest, steps, "p100x2"))
    assert [len(step["ranks"]) for step in record["steps"]] == [4, 2, 0]
    first, second = (seen(bench.log(record["training_id"], learner)) for learner in (1, 2))
    ranks, (node, once) = first[:2], first[2:]
    assert sorted(one["RANK"] for one in ranks) == ["0", "1"]
    assert sorted(one["LOCAL_RANK"] for one in second[:2]) == ["0", "1"]
    assert {(one["WORLD_SIZE"], one["LOCAL_WORLD_SIZE"], one["mpi"]) for one in ranks + second[:2]} == {
        ("4", "2", True)
    }
    nodes = [node, second[2]]
    assert [(one["LEARNER_ID"], one["NUM_LEARNERS"], one["GPU_COUNT"]) for one in nodes] == [
        ("1", "2", "2"),
        ("2", "2", "2"),
    ]
    nothing = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "DDL_OPTIONS")
    assert [[one[name] for name in nothing] + [one["mpi"]] for one in nodes] == [[None] * 4 + [False]] * 2
    assert (once["LEARNER_ID"], len(second)) == ("1", 3)


def test_a_node_whose_command_fails_is_named(bench: Bench, tmp_path: Path, left_nothing: None) -> None:
    program = (
        "import os, sys, time\ntime.sleep(1)\nsys.exit(3 if os.environ['LEARNER_ID'] == '2' else time.sleep(60))\n"
    )
    manifest = bench.manifest(tmp_path, "x", program)
    done = bench.run("launch", with_steps(manifest, [{"command": "python program.py", "ranks": "node"}]))
    assert done.returncode == 1, done.stderr
    assert "learner 2" in done.stderr.replace("learner-2", "learner 2")
    assert "exited with status 3" in done.stderr


def test_several_commands_of_one_step_share_a_shell_and_stop_at_the_first_that_fails(
    bench: Bench, tmp_path: Path, left_nothing: None
) -> None:
    manifest = bench.manifest(tmp_path, "x", "print('trained')")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "fails.py").write_text("import sys; print('fails'); sys.exit(4)")
    steps = [{"command": "cd deep; python ../program.py; python fails.py; echo never", "ranks": "node"}]
    done = bench.run("launch", with_steps(manifest, steps))
    assert done.returncode == 1, done.stderr
    log = bench.log(bench.newest()["training_id"], 1)
    assert [word for word in ("trained", "fails", "never") if any(word in line for line in log)] == ["trained", "fails"]


def test_torchruns_program_runs_on_every_rank_and_the_ranks_meet_where_the_run_says(
    bench: Bench, tmp_path: Path, left_nothing: None
) -> None:
    manifest = bench.manifest(tmp_path, "torchrun --nproc_per_node=2 --nnodes=2 --rdzv_backend=c10d program.py", MEETS)
    manifest.write_text(manifest.read_text().replace("name: p100 ", "name: cpux2 "))
    record = bench.launch(manifest)
    assert (record["compute"], record["ranks"]) == ("cpux2", 4)
    met = "MET 1 of 4, local 1 2 of 4, local 0 3 of 4, local 1"
    assert any(line.endswith(met) for line in bench.log(record["training_id"], 1))


def test_on_hosts_ranks_meet_and_nodes_run_once(lab: RealLab, tmp_path: Path) -> None:
    manifest = lab.bench.manifest(tmp_path, "x", MEETS)
    (tmp_path / "shows.py").write_text(SHOWS)
    steps = [{"command": "python program.py", "ranks": "all"}, {"command": "python shows.py", "ranks": "node"}]
    launched = ("launch", "--json", with_steps(manifest, steps), "--cluster", lab.cluster_file)
    record = json.loads(lab.bench.ok(*launched, timeout=500).stdout)
    logs = [lab.bench.log(record["training_id"], learner) for learner in (1, 2)]
    assert any(line.endswith("MET 1 of 2, local 0") for line in logs[0])
    assert [[one["LEARNER_ID"] for one in seen(log)] for log in logs] == [["1"], ["2"]]


@pytest.mark.slow
def test_a_node_command_under_open_mpi_5(bench: Bench, tmp_path: Path, left_nothing: None) -> None:
    manifest = bench.manifest(tmp_path, "x", SHOWS)
    text = (
        manifest.read_text().replace('version: "2.19"', 'version: "2.21"').replace('version: "3.11"', 'version: "3.13"')
    )
    manifest.write_text(text)
    bench.ok("build", manifest, timeout=1500)
    steps = [{"command": "python program.py", "ranks": ranks} for ranks in ("all", "node")]
    record = bench.launch(with_steps(manifest, steps))
    found = [seen(bench.log(record["training_id"], learner)) for learner in (1, 2)]
    assert [[one["mpi"] for one in learner] for learner in found] == [[True, False]] * 2

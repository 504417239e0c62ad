"""Each rank runs on the CPUs that its plan names, and on no other: compared with what the kernel says in the rank."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from toolkit.doctor.topics.cores import cpu_numbers

from .bench import Bench, read_until

pytestmark = pytest.mark.alone  # other runs on this machine would have CPUs of their own

PROGRAM = """
import json, os, pathlib, subprocess, time
child = int(subprocess.run(["nproc"], capture_output=True, text=True).stdout)
rank = os.environ.get("OMPI_COMM_WORLD_RANK")
print("CPUS " + json.dumps({"rank": rank, "cpus": sorted(os.sched_getaffinity(0)), "child": child}), flush=True)
while not pathlib.Path(os.environ["DATA_DIR"], "go").exists():
    time.sleep(0.2)
"""
ALL = frozenset(os.sched_getaffinity(0))
PLACEMENTS = [("p100", 1), ("p100", 2), ("p100x2", 1), ("p100x2", 2)]


def cluster_file(folder: Path, binding: str) -> Path:
    file = folder / f"{binding}.yml"
    file.write_text(f"name: here\nengine: local\ngpu: none\nbinding: {binding}\n")
    return file


def manifest_of(folder: Path, compute: str, nodes: int, *, go: bool = True, **limits: object) -> Path:
    """A manifest that runs the program on every rank and then once; its ranks wait for the file `go` in its data."""
    code, data = folder / "code", folder / "data"
    code.mkdir(parents=True)
    data.mkdir()
    if go:
        (data / "go").touch()
    (code / "program.py").write_text(PROGRAM)
    keys = {name: f"${{embedded:{name}}}" for name in ("access_key_id", "secret_access_key")}
    framework = {"name": "tensorflow-ddl", "version": "2.19", "runtimes": {"name": "python", "version": "3.11"}}
    execution = {
        "steps": [{"command": "python program.py", "ranks": ranks} for ranks in ("all", "one")],
        "compute_configuration": {"name": compute, "nodes": nodes, **limits},
    }
    results = {"bucket": "mnist-training-models"}
    manifest = {
        "model_definition": {"name": "binding", "framework": framework, "execution": execution},
        "training_data_reference": {"source": {"path": str(data)}, "type": "path"},
        "training_results_reference": {
            "connection": {"endpoint_url": "embedded", **keys},
            "target": results,
            "type": "s3",
        },
    }
    (code / "manifest.yml").write_text(json.dumps(manifest))
    return code / "manifest.yml"


def planned(bench: Bench, manifest: Path, cluster: Path) -> dict[str, frozenset[int]]:
    """The CPUs that a dry run names for each rank; nothing where it binds none."""
    plan = json.loads(bench.ok("launch", "--dry-run", "--json", "--cluster", cluster, manifest).stdout)
    bound = [learner for learner in plan["learners"] if learner["cpus"]]
    pairs = [pair for learner in bound for pair in zip(learner["ranks"], learner["cpus"], strict=True)]
    return {str(rank): cpu_numbers(cpus) for rank, cpus in pairs}


def seen(bench: Bench, training_id: str, learners: int) -> dict[str | None, dict]:
    """What each rank printed, and under None what the command printed that runs once."""
    lines = [line for number in range(1, learners + 1) for line in bench.log(training_id, number)]
    found = [json.loads(line.split("CPUS ", 1)[1]) for line in lines if "CPUS " in line]
    return {look["rank"]: {**look, "cpus": frozenset(look["cpus"])} for look in found}


@pytest.mark.parametrize(("compute", "nodes"), PLACEMENTS)
def test_with_cores_each_rank_has_the_cpus_of_its_plan(
    bench: Bench, tmp_path: Path, left_nothing: None, compute: str, nodes: int
) -> None:
    manifest, cluster = manifest_of(tmp_path, compute, nodes), cluster_file(tmp_path, "cores")
    plan = planned(bench, manifest, cluster)
    done = bench.ok("launch", "--json", "--cluster", cluster, manifest)
    found = seen(bench, json.loads(done.stdout)["training_id"], nodes)
    once = found.pop(None)
    count = nodes * (2 if compute.endswith("x2") else 1)
    assert sorted(map(str, found)) == [str(rank) for rank in range(count)]
    if count > len(ALL):
        assert plan == {}
        assert {look["cpus"] for look in (once, *found.values())} == {ALL}
        return
    assert {rank: look["cpus"] for rank, look in found.items()} == plan
    assert sorted(cpu for cpus in plan.values() for cpu in cpus) == sorted(ALL)
    assert all(look["child"] == len(look["cpus"]) for look in found.values())
    on_learner_1 = [str(rank) for rank in range(count // nodes)]
    assert once["cpus"] == frozenset().union(*(plan[rank] for rank in on_learner_1))


def test_with_none_every_rank_has_all_cpus(bench: Bench, tmp_path: Path, left_nothing: None) -> None:
    manifest, cluster = manifest_of(tmp_path, "p100x2", 1), cluster_file(tmp_path, "none")
    assert planned(bench, manifest, cluster) == {}
    record = json.loads(bench.ok("launch", "--json", "--cluster", cluster, manifest).stdout)
    found = seen(bench, record["training_id"], 1)
    assert set(found) == {"0", "1", None}
    assert {look["cpus"] for look in found.values()} == {ALL}


def test_runs_that_are_launched_at_once_have_cpus_of_their_own(
    bench: Bench, tmp_path: Path, left_nothing: None
) -> None:
    assert len(ALL) > 1, "two runs cannot have CPUs of their own on a machine with one"
    cluster = cluster_file(tmp_path, "cores")
    folders = [tmp_path / str(number) for number in range(2)]
    manifests = [manifest_of(folder, "p100", 1, go=False, cpus=1) for folder in folders]
    processes = [
        bench.start("launch", "--id-file", folder / "id", "--cluster", cluster, manifest)
        for folder, manifest in zip(folders, manifests, strict=True)
    ]
    for process in processes:
        read_until(process, "CPUS {")
    for folder in folders:
        (folder / "data" / "go").touch()
    ends = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    one, other = (seen(bench, (folder / "id").read_text().strip(), 1)["0"]["cpus"] for folder in folders)
    assert (len(one), len(other), one & other) == (1, 1, frozenset())


@pytest.mark.slow
def test_runs_at_once_have_cpus_of_their_own_as_long_as_there_are_any(
    bench: Bench, tmp_path: Path, left_nothing: None
) -> None:
    """The first run may use one CPU; the second gets the others; for the third none are left, and it is not bound."""
    assert len(ALL) > 1, "two runs cannot have CPUs of their own on a machine with one"
    cluster = cluster_file(tmp_path, "cores")
    limits: tuple[dict[str, object], ...] = ({"cpus": 1}, {}, {})
    folders = [tmp_path / str(number) for number in range(len(limits))]
    processes, printed = [], []
    for folder, limit in zip(folders, limits, strict=True):
        manifest = manifest_of(folder, "p100", 1, go=False, **limit)
        processes.append(bench.start("launch", "--id-file", folder / "id", "--cluster", cluster, manifest))
        printed.append(read_until(processes[-1], "CPUS {"))
    for folder in folders:
        (folder / "data" / "go").touch()
    ends = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    found = [seen(bench, (folder / "id").read_text().strip(), 1)["0"]["cpus"] for folder in folders]
    assert len(found[0]) == 1
    assert found[1:] == [ALL - found[0], ALL]
    assert "not bound on this machine: 1 rank on" in printed[2]
    assert "of which other runs use" in printed[2]

"""The main job across two hosts over ssh: each with its own engine, and nothing of ours there before or after."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from toolkit.agent.host_stages import STAGES

from .bench import MANIFEST, read_until
from .lab import NEW_FILES, RealLab

EMPTY = {"containers": [], "volumes": [], "networks": ["bridge", "host", "none"], "mounts": [], "files": []}


@pytest.fixture
def lab(training_lab: RealLab) -> RealLab:
    return training_lab


def left_on(lab: RealLab, host: str) -> dict[str, list[str]]:
    """Everything of a run that a host knows of; images stay, that is what they are for."""

    def lines(command: str) -> list[str]:
        return sorted(lab.ok(host, command).splitlines())

    return {
        "containers": lines("docker ps --all --format '{{.Names}}'"),
        "volumes": lines("docker volume ls --format '{{.Name}}'"),
        "networks": lines("docker network ls --format '{{.Name}}'"),
        "mounts": lines("grep rclone /proc/mounts | cut -d' ' -f2; true"),
        "files": lines(NEW_FILES),
    }


def launch(lab: RealLab, manifest: Path, *words: str) -> tuple[dict[str, Any], str]:
    done = lab.bench.ok("launch", "--json", manifest, "--cluster", lab.cluster_file, *words, timeout=500)
    return json.loads(done.stdout), done.stderr


def test_a_training_runs_across_two_hosts_and_its_model_comes_home(lab: RealLab, tmp_path: Path) -> None:
    record, said = launch(lab, MANIFEST)
    assert (record["state"], record["learners"], record["ranks"]) == ("COMPLETED", 2, 2)
    assert [step["ranks"] for step in record["steps"]] == [[0, 0], []]
    for number, host in enumerate(lab.hosts, 1):
        assert f"learner-{number} on {host} ({lab.address(host)})" in said
    assert f"[toolkit] {record['mpirun']}" in said.splitlines()
    sums = {line.split()[-1] for line in said.splitlines() if "weights sha256" in line}
    assert len(sums) == 1
    logs = [lab.bench.log(record["training_id"], number) for number in (1, 2)]
    assert any("rank 1 of 2, host 2 of 2" in line for line in logs[1])
    collected = json.loads(lab.bench.ok("collect", "--json", record["training_id"], "--to", tmp_path).stdout)
    assert collected["metrics"]["accuracy"] > 0.9
    assert (tmp_path / record["training_id"] / "model" / "saved_model.pb").is_file()
    assert {host: left_on(lab, host) for host in lab.hosts} == dict.fromkeys(lab.hosts, EMPTY)


def test_an_image_that_is_there_is_not_shipped_again(lab: RealLab, tmp_path: Path) -> None:
    _, said = launch(lab, lab.bench.manifest(tmp_path, "true"))
    assert "sending" not in said


def test_what_each_host_wrote_is_stored_and_each_learner_knows_its_number(lab: RealLab, tmp_path: Path) -> None:
    program = (
        "import os, pathlib, socket\n"
        "rank, place = os.environ['OMPI_COMM_WORLD_RANK'], pathlib.Path(os.environ['RESULT_DIR'])\n"
        "(place / f'rank-{rank}').write_text(os.environ['LEARNER_ID'] + ' ' + socket.gethostname())\n"
        "(place / f'large-{rank}').write_bytes(bytes(50_000_000))\n"
    )
    record, _ = launch(lab, lab.bench.manifest(tmp_path, "python program.py", program))
    results = lab.bench.results(record["training_id"])
    assert [(results / f"rank-{rank}").read_text() for rank in (0, 1)] == ["1 learner-1", "2 learner-2"]
    assert [(results / f"large-{rank}").stat().st_size for rank in (0, 1)] == [50_000_000] * 2
    document = json.loads((results / "record.json").read_text())
    assert [host["name"] for host in document["hosts"] if host["facts"]["cpus"]] == list(lab.hosts)
    assert {f"large-{rank}" for rank in (0, 1)} <= {one["path"] for one in document["results"]["files"]}
    staged = document["host_stages"]
    stages = [{stage["name"] for stage in (*one["operator_clock"], *one["host_clock"])} for one in staged]
    assert [one["host"] for one in staged] == list(lab.hosts)
    assert stages == [{*STAGES}, {*STAGES} - {"collecting"}]
    assert [one["offset"] is not None for one in staged] == [True, True]
    lab.bench.ok("record", "verify", record["training_id"])


def test_the_ranks_of_each_host_share_out_its_cores(lab: RealLab, tmp_path: Path) -> None:
    program = (
        "import os\nprint('CPUS', os.environ['OMPI_COMM_WORLD_RANK'], *sorted(os.sched_getaffinity(0)), flush=True)\n"
    )
    manifest = lab.bench.manifest(tmp_path, "python program.py", program)
    manifest.write_text(manifest.read_text().replace("name: p100 ", "name: p100x2 "))
    record, said = launch(lab, manifest)
    words = [line.split()[1:] for number in (1, 2) for line in lab.bench.log(record["training_id"], number)]
    cpus = {rank: set(map(int, found)) for word, rank, *found in words if word == "CPUS"}
    assert sorted(cpus) == ["0", "1", "2", "3"]
    count = len(os.sched_getaffinity(0))
    for one, other in (("0", "1"), ("2", "3")):
        assert len(cpus[one] | cpus[other]) == count
        assert not (cpus[one] & cpus[other]) or count < 2
    assert ("binding  cores: each rank is bound to its share of its host's cores" in said) == (count > 1)


def test_a_rank_that_fails_on_the_other_host_is_named_and_nothing_stays(lab: RealLab, tmp_path: Path) -> None:
    program = "import os, sys, time\nsys.exit(3 if os.environ['OMPI_COMM_WORLD_RANK'] == '1' else time.sleep(60))\n"
    manifest = lab.bench.manifest(tmp_path, "python program.py", program)
    done = lab.bench.run("launch", manifest, "--cluster", lab.cluster_file)
    assert done.returncode == 1, done.stderr
    assert "rank 1 exited with status 3" in done.stderr
    assert {host: left_on(lab, host) for host in lab.hosts} == dict.fromkeys(lab.hosts, EMPTY)


def test_of_two_launches_at_once_one_runs_and_one_learns_who_holds_the_hosts(lab: RealLab, tmp_path: Path) -> None:
    one = lab.bench.manifest(tmp_path / "one", "sleep 300")
    other = lab.bench.manifest(tmp_path / "other", "echo done")
    first = lab.bench.start("launch", one, "--cluster", lab.cluster_file)
    begun = read_until(first, "PROCESSING")
    run = next(word for word in begun.split() if word.startswith("training-"))
    refused = lab.bench.run("launch", other, "--cluster", lab.cluster_file)
    assert (refused.returncode, run in refused.stderr) == (3, True), refused.stderr
    assert "--wait" in refused.stderr
    waiting = lab.bench.start("launch", other, "--cluster", lab.cluster_file, "--wait")
    read_until(waiting, f"waiting for {run}")
    lab.bench.ok("stop", run)
    rest = waiting.communicate(timeout=200)[0]
    assert (waiting.returncode, "COMPLETED" in rest) == (0, True), rest
    assert (first.wait(timeout=100), "HALTED" in first.communicate()[0]) == (130, True)


def test_ctrl_c_halts_on_every_host(lab: RealLab, tmp_path: Path) -> None:
    process = lab.bench.start("launch", lab.bench.manifest(tmp_path, "sleep 300"), "--cluster", lab.cluster_file)
    assert process.stdout is not None
    for line in process.stdout:
        if "command 1 of 1" in line:
            break
    process.send_signal(2)
    said = process.communicate(timeout=100)[0]
    assert process.returncode == 130, said
    assert lab.bench.newest()["state"] == "HALTED"
    assert {host: left_on(lab, host) for host in lab.hosts} == dict.fromkeys(lab.hosts, EMPTY)


def test_a_stopped_engine_is_reported_with_its_host_before_anything_starts(lab: RealLab, tmp_path: Path) -> None:
    last = lab.hosts[-1]
    lab.ok(last, "service docker stop")
    try:
        done = lab.bench.run("launch", lab.bench.manifest(tmp_path, "true"), "--cluster", lab.cluster_file, timeout=60)
    finally:
        lab.ok(last, "service docker start")
    assert done.returncode == 3
    assert f"{last}: engine" in done.stderr
    assert "fix: start it" in done.stderr
    assert "Traceback" not in done.stderr
    assert left_on(lab, lab.hosts[0]) == EMPTY


CHECKPOINTS = """
import os, sys
from pathlib import Path
results = Path(os.environ["RESULT_DIR"])
if sys.argv[1] == "train" and os.environ["OMPI_COMM_WORLD_RANK"] == "0":
    for step in (1, 2):
        (results / f"weights-{step}.pt").write_text(f"weights {step}")
elif sys.argv[1] == "later":
    (results / "made.txt").write_text(Path(os.environ.get("CHECKPOINT", results / "weights-2.pt")).read_text())
"""


def test_the_later_commands_run_on_a_checkpoint_on_one_of_the_hosts(lab: RealLab, tmp_path: Path) -> None:
    command = "python program.py train ; python program.py later"
    record, _ = launch(lab, lab.bench.manifest(tmp_path / "code", command, CHECKPOINTS))
    assert (lab.bench.results(record["training_id"]) / "made.txt").read_text() == "weights 2"
    words = ("--checkpoint", 1, "--to", tmp_path, "--what", "made.txt", "--json")
    done = lab.bench.ok("collect", record["training_id"], *words, timeout=500)
    assert (Path(json.loads(done.stdout)["folder"]) / "files" / "made.txt").read_text() == "weights 1"
    made = lab.bench.newest()
    assert (len(record["hosts"]), len(made["hosts"]), made["learners"]) == (2, 1, 1)
    assert {host: left_on(lab, host) for host in lab.hosts} == dict.fromkeys(lab.hosts, EMPTY)

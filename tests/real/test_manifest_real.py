"""What a manifest may ask for beyond a command, carried out; and keys that stand in it, looked for everywhere."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from toolkit.image.tool_images import buckets_recipe
from toolkit.image.version import read_inputs

from .bench import NOTHING, Bench, ours

PROGRAM = """
import json, os, sys, time
from pathlib import Path
what, results = sys.argv[1], Path(os.environ["RESULT_DIR"])
rank = os.environ.get("OMPI_COMM_WORLD_RANK", "none")
if what == "look":
    limit = next(Path("/sys/fs/cgroup", name) for name in ("memory.max", "memory/memory.limit_in_bytes")
                 if Path("/sys/fs/cgroup", name).exists())
    seen = {"folder": os.getcwd(), "data": sorted(os.listdir(os.environ["DATA_DIR"])), "environment": dict(os.environ),
            "memory": int(limit.read_text())}
    try:
        Path(os.environ["DATA_DIR"], "written").write_text("x")
    except OSError:
        seen["read_only"] = True
    (results / ("seen-%s.json" % rank)).write_text(json.dumps(seen))
    time.sleep(2)
elif what == "fail-once":
    mark = results / ("mark-%s" % rank)
    if not mark.exists():
        mark.write_text("x")
        sys.exit(3)
elif what == "go-on":
    (results / "went-on").write_text(Path(os.environ["RESUME_DIR"], "mark-0").read_text())
"""


@dataclass(frozen=True)
class Watched:
    """A run that is over: its record, what it said, and what `ps` and `docker inspect` showed while it went."""

    record: dict[str, Any]
    said: str
    processes: str
    containers: str

    @property
    def id(self) -> str:
        return str(self.record["training_id"])


def manifest(steps: list[dict[str, Any]], data: dict[str, Any], connection: dict[str, str], **execution: Any) -> str:
    """A canonical manifest; JSON is YAML."""
    framework = {"name": "tensorflow-ddl", "version": "2.19", "runtimes": {"name": "python", "version": "3.11"}}
    compute = {"name": "p100", "nodes": 2, "memory": "512MiB", "cpus": 1}
    target = {"bucket": "mnist-training-models", "prefix": "trials/a"}
    whole = {
        "model_definition": {
            "name": "asking for more",
            "framework": framework,
            "execution": {"steps": steps, "compute_configuration": compute, **execution},
        },
        "training_data_reference": data,
        "training_results_reference": {"connection": connection, "target": target, "type": "s3"},
    }
    return json.dumps(whole, indent=1)


@pytest.fixture(scope="module")
def connection(bench: Bench) -> dict[str, str]:
    """The embedded store with its keys written out, as people do it: they are what is looked for."""
    return {"endpoint_url": "embedded", **json.loads((bench.home / "embedded-keys.json").read_text())}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asking")
    (folder / "sub").mkdir()
    for place in (folder, folder / "sub"):
        (place / "program.py").write_text(PROGRAM)
    return folder


@pytest.fixture(scope="module")
def watched(bench: Bench, connection: dict[str, str], folder: Path) -> Watched:
    """Three commands on part of a bucket, copied; watched while they run."""
    part = bench.home / "buckets" / "mnist-training-data" / "part" / "one"
    part.mkdir(parents=True)
    (part / "tile").write_text("x")
    steps: list[dict[str, Any]] = [
        {"command": "python program.py look", "ranks": "one", "folder": "sub", "environment": {"OWN": "two words"}},
        {"command": "python program.py look", "ranks": "all", "folder": "sub", "mca": {"btl_tcp_links": "2"}},
        {"command": "python program.py fail-once", "ranks": "all", "timeout": "100s"},
    ]
    source = {"bucket": "mnist-training-data", "prefix": "part/one"}
    data = {"connection": connection, "source": source, "access": "copy", "type": "s3"}
    environment = {"WORD": "of all", "DDL_OPTIONS": "-mode r:1x2"}
    file = folder / "manifest.yml"
    file.write_text(manifest(steps, data, connection, environment=environment, retries=1, time_limit="9m"))
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(
            bench.argv("launch", "--id-file", folder / "id", file),
            env=bench.environment,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        processes, containers = [], []
        while process.poll() is None:
            processes.append(reported("ps", "-ewwo", "args"))
            if (folder / "id").exists() and (names := names_of((folder / "id").read_text().strip())):
                containers.append(reported("docker", "inspect", *names))
            time.sleep(0.3)
        said.seek(0)
        text = said.read()
    (folder / "id").unlink()
    (folder / "said").unlink()
    assert process.returncode == 0, text
    return Watched(bench.newest(), text, "\n".join(processes), "\n".join(containers))


def reported(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def names_of(run: str) -> list[str]:
    return reported("docker", "ps", "--all", "--format", "{{.Names}}", "--filter", f"label=toolkit.run={run}").split()


def results(bench: Bench, run: str) -> Path:
    return bench.home / "buckets" / "mnist-training-models" / "trials" / "a" / run


def side_image() -> str:
    """The image of the container that had the keys; the learners' own is looked into by its proof, file by file."""
    return read_inputs(buckets_recipe()).reference


def layers_of(image: str) -> str:
    saved = subprocess.run(["docker", "save", image], capture_output=True, check=True)
    return saved.stdout.decode("latin-1")


def seen(bench: Bench, watched: Watched, rank: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((results(bench, watched.id) / f"seen-{rank}.json").read_text())
    return found


def test_steps_run_where_and_as_the_manifest_says(bench: Bench, watched: Watched) -> None:
    statuses = [(step["parallel"], step["exit_status"], step["ranks"]) for step in watched.record["steps"]]
    assert statuses == [(False, 0, []), (True, 0, [0, 0]), (True, 0, [0, 0])]
    once, both = seen(bench, watched, "none"), [seen(bench, watched, rank) for rank in "01"]
    assert once["folder"] == "/job/code/sub"
    assert {one["folder"] for one in both} == {"/job/code/sub"}
    assert once["environment"]["OWN"] == "two words"
    assert not any("OWN" in one["environment"] for one in both)
    for one in (once, *both):
        assert (one["environment"]["WORD"], one["environment"]["DDL_OPTIONS"]) == ("of all", "-mode r:1x2")
        assert one["memory"] == 512 << 20


def test_part_of_a_bucket_is_copied_and_cannot_be_written(bench: Bench, watched: Watched) -> None:
    for rank in ("none", "0", "1"):
        assert (seen(bench, watched, rank)["data"], seen(bench, watched, rank)["read_only"]) == (["tile"], True)


def test_a_command_that_failed_is_run_again(bench: Bench, watched: Watched) -> None:
    assert "[toolkit] command 3 ended with 3; attempt 2 of 2" in watched.said
    assert sorted(file.name for file in results(bench, watched.id).glob("mark-*")) == ["mark-0", "mark-1"]


def test_a_key_that_stands_in_the_manifest_is_nowhere_else(
    bench: Bench, watched: Watched, connection: dict[str, str]
) -> None:
    keys = [connection["access_key_id"], connection["secret_access_key"]]
    stored = [file for file in results(bench, watched.id).rglob("*") if file.is_file()]
    assert {"_submitted_code", "learner-1", "learner-2"} <= {
        file.relative_to(results(bench, watched.id)).parts[0] for file in stored
    }
    assert "learner-2" in watched.containers
    assert "rclone rcd" in watched.processes
    places = {
        "screen": watched.said,
        "processes": watched.processes,
        "containers": watched.containers,
        "record": (bench.home / "runs" / f"{watched.id}.json").read_text(),
        "plan": bench.ok("launch", "--dry-run", watched.record["manifest_file"]).stdout,
        "shown": bench.ok("show", watched.id).stdout,
        "history": reported("docker", "history", "--no-trunc", watched.record["image_id"]),
        "image": reported("docker", "image", "inspect", watched.record["image_id"]),
        "layers": layers_of(side_image()),
        **{str(file): file.read_bytes().decode("latin-1") for file in stored},
    }
    assert {place for place, text in places.items() if any(key in text for key in keys)} == set()


def test_a_folder_of_the_host_a_resumed_run_and_a_time_limit(
    bench: Bench, watched: Watched, connection: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tile").write_text("x")
    (tmp_path / "data").chmod(0o755)
    steps = [
        {"command": "python program.py look", "ranks": "one"},
        {"command": "python program.py go-on", "ranks": "all"},
        {"command": "sleep 600", "ranks": "all", "timeout": "3s"},
    ]
    data = {"source": {"path": str(tmp_path / "data")}, "type": "path"}
    file = folder / "manifest.yml"
    file.write_text(manifest(steps, data, connection, resume=watched.id))
    done = bench.run("launch", file)
    record = bench.newest()
    assert done.returncode == 1, done.stderr
    assert [step["exit_status"] == 0 for step in record["steps"]] == [True, True, False]
    assert record["end"] == "time limit"
    assert "command 3 of 3, `sleep 600` exceeded its time limit of 3 s" in done.stderr
    found = json.loads((results(bench, record["training_id"]) / "seen-none.json").read_text())
    assert (found["data"], found["read_only"]) == (["tile"], True)
    assert (results(bench, record["training_id"]) / "went-on").read_text() == "x"


def test_there_must_be_something_to_resume_from(bench: Bench, connection: dict[str, str], folder: Path) -> None:
    data = {"source": {"path": str(folder)}, "type": "path"}
    file = folder / "manifest.yml"
    file.write_text(manifest([{"command": "true", "ranks": "one"}], data, connection, resume="training-none"))
    done = bench.run("launch", file)
    assert done.returncode == 2
    assert "nothing to resume from" in done.stderr


def test_nothing_is_left(bench: Bench, watched: Watched) -> None:
    assert ours(bench) == NOTHING

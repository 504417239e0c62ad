"""`toolkit manifest …`, `toolkit frameworks` and `toolkit launch --dry-run`, as a person's shell sees them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from toolkit.manifest.reader import read_manifest, read_with_warnings
from toolkit.paths import assets

GOOD = assets() / "tests" / "manifest" / "corpus" / "good"
BAD = GOOD.parent / "bad"
EXAMPLE = assets() / "examples" / "mnist" / "manifest.yml"


def toolkit(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """The command in `folder`, with a home of its own and no engine to ask."""
    environment = {**os.environ, "TOOLKIT_HOME": str(folder / "home"), "DOCKER_HOST": f"unix://{folder}/no-engine"}
    argv = [sys.executable, "-m", "toolkit", *map(str, words)]
    return subprocess.run(
        argv, env=environment, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def test_check_says_of_every_file_what_it_is(tmp_path: Path) -> None:
    done = toolkit(tmp_path, "manifest", "check", GOOD / "wml.yml", GOOD / "ffdl.yml", BAD / "ffdl-learner.yml")
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        f"{GOOD / 'wml.yml'}: valid manifest (Watson ML)",
        f"{GOOD / 'ffdl.yml'}: valid manifest (FfDL, 3 warnings)",
    ]
    assert "toolkit: warning" in done.stderr
    assert f"{BAD / 'ffdl-learner.yml'}:4:1: learner: unknown field; did you mean `learners`?" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_tells_machines_the_same(tmp_path: Path) -> None:
    done = toolkit(tmp_path, "manifest", "check", "--json", GOOD / "wml-2017.yml", BAD / "unknown-version.yml")
    good, bad = json.loads(done.stdout)["files"]
    assert (good["dialect"], len(good["warnings"])) == ("wml-2017", 3)
    assert (bad["error"], len(bad["problems"])) == ("C101", 1)
    assert done.returncode == 2


def test_convert_writes_the_canonical_form_without_keys(tmp_path: Path) -> None:
    done = toolkit(tmp_path, "manifest", "convert", GOOD / "ffdl.yml", "-o", "new.yml")
    assert done.returncode == 0, done.stderr
    found = read_with_warnings(tmp_path / "new.yml")
    assert (found.dialect, found.warnings) == ("canonical", ())
    assert "oaks-and-elms" not in (tmp_path / "new.yml").read_text()
    assert "DATA_ACCESS_KEY_ID, DATA_SECRET_ACCESS_KEY, RESULTS_ACCESS_KEY_ID" in done.stderr
    again = toolkit(tmp_path, "manifest", "convert", GOOD / "ffdl.yml", "-o", "new.yml")
    assert (again.returncode, "already exists" in again.stderr) == (2, True)


@pytest.mark.parametrize("act", [("convert", GOOD / "ffdl.yml", "-o"), ("init", "--yes")])
def test_a_folder_that_is_not_there_is_reported(tmp_path: Path, act: tuple[object, ...]) -> None:
    done = toolkit(tmp_path, "manifest", *act, "none/new.yml")
    assert done.returncode == 2
    assert "error C101 none/new.yml cannot be written: No such file or directory" in done.stderr


def test_schema_is_a_json_schema(tmp_path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(toolkit(tmp_path, "manifest", "schema").stdout))


def test_init_writes_a_manifest_that_is_one(tmp_path: Path) -> None:
    words = [
        "--name",
        "a 'name': x",
        "--framework",
        "tensorflow",
        "--nodes",
        "3",
        "--endpoint",
        "https://s3.example.org",
    ]
    done = toolkit(tmp_path, "manifest", "init", *words)
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "manifest.yml")
    assert (manifest.name, manifest.framework.name, manifest.compute.nodes) == ("a 'name': x", "tensorflow", 3)
    assert str(manifest.training_results.connection.access_key_id) == "${env:AWS_ACCESS_KEY_ID}"
    assert toolkit(tmp_path, "manifest", "init").returncode == 2  # it exists already
    assert toolkit(tmp_path, "launch", "--dry-run", "manifest.yml").returncode == 2  # a folder without code


def test_init_points_at_a_wrong_answer_and_leaves_no_file(tmp_path: Path) -> None:
    done = toolkit(tmp_path, "manifest", "init", "--framework-version", "2.19", "--data-bucket", "../x")
    assert done.returncode == 2
    assert "source.bucket: `../x` is no bucket name" in done.stderr
    assert list(tmp_path.glob("*.yml")) == []


def test_init_asks_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    answers = ["walrus", "tensorflow", "2.15", "", "python walrus.py", "k80x4", "1", "", "sea-ice", ""]
    os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
    environment = {**os.environ, "TOOLKIT_HOME": str(tmp_path / "home")}
    argv = [sys.executable, "-m", "toolkit", "manifest", "init"]
    done = subprocess.run(
        argv, env=environment, cwd=tmp_path, stdin=theirs, capture_output=True, text=True, check=False
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "manifest.yml")
    assert (manifest.name, manifest.framework.version, manifest.framework.python) == ("walrus", "2.15", "3.11")
    assert (manifest.steps[0].command, manifest.compute.name, manifest.compute.nodes) == (
        "python walrus.py",
        "k80x4",
        1,
    )
    assert (manifest.buckets["data"].bucket, manifest.training_results.bucket) == (
        "sea-ice",
        f"{tmp_path.name.replace('_', '-')[:40].strip('-').lower()}-results",
    )


def test_frameworks_are_listed_with_python_cuda_and_gpus(tmp_path: Path) -> None:
    lines = toolkit(tmp_path, "frameworks", "tensorflow-ddl").stdout.splitlines()
    assert lines[0].split() == ["FRAMEWORK", "VERSION", "PYTHON", "IMAGES", "CUDA", "GPUS"]
    row = next(line for line in lines if "2.19" in line)
    assert row.split("  ")[0] == "tensorflow-ddl"
    assert row.split("  ")[-1].startswith("p100, p4, p40, ")
    assert "cpu, cuda  12.5" in row
    assert not {"k80", "m40"} & set(row.split("  ")[-1].split(", "))
    assert "cuda-9.0-cudnn-7" in next(line for line in lines if " 3.5 " in line)


def test_a_framework_that_is_mistyped_gets_the_nearest_as_a_hint(tmp_path: Path) -> None:
    done = toolkit(tmp_path, "frameworks", "tensorflow-dll")
    assert (done.returncode, "did you mean tensorflow-ddl?" in done.stderr) == (2, True)


@pytest.mark.parametrize("cluster", [[], ["--cluster", "clusters/lab-p100.yml"]])
def test_a_dry_run_needs_no_engine_and_no_host(tmp_path: Path, cluster: list[str]) -> None:
    words = [cluster[0], assets() / cluster[1]] if cluster else []
    done = toolkit(tmp_path, "launch", "--dry-run", *words, EXAMPLE)
    assert done.returncode == 0, done.stderr
    assert "(dry run: nothing is started)" in done.stdout
    assert "not built here" in done.stdout
    hosts = ["p100-01:", "p100-02:"] if cluster else ["this machine:"]
    assert [line for line in done.stdout.splitlines() if line in hosts] == hosts
    assert "mpirun --noprefix --np 2" in done.stdout
    assert not (tmp_path / "home").exists()


def test_a_dry_run_tells_machines_every_argument_list(tmp_path: Path) -> None:
    found = json.loads(toolkit(tmp_path, "launch", "--dry-run", "--json", EXAMPLE).stdout)
    assert [step["argv"][-1] for step in found["steps"]] == ["python train.py", "python transform.py"]
    assert {line[0] for line in found["hosts"]["this machine"]} == {"docker"}
    assert [(one["number"], one["ranks"]) for one in found["learners"]] == [(1, [0]), (2, [1])]


def test_what_builds_images_is_not_imported_to_check_a_manifest() -> None:
    """It takes 30 MB, and a third of a second."""
    words = "import sys, toolkit.cli.manifest; print([name for name in ('docker', 'paramiko') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"

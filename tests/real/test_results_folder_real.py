"""Results in a folder instead of a bucket: stored, compared, checksummed and collected like any others."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from .bench import MODEL, Bench
from .lab import RealLab
from .shared_folder import share

OWNER = 4711
PROGRAM = """
import os, pathlib
rank, place = os.environ["OMPI_COMM_WORLD_RANK"], pathlib.Path(os.environ["RESULT_DIR"])
(place / "model").mkdir(exist_ok=True)
(place / "model" / f"part-{rank}").write_bytes(os.urandom(300_000))
(place / f"name of {rank}, $HOME \\u00e9").write_text(os.environ["RESULT_DIR"])
print("from the other host" if os.environ["LEARNER_ID"] == "2" else "from the first")
(pathlib.Path(os.environ["CHECKPOINT_DIR"]) / f"note-{rank}").write_text("kept")
"""


def into_folder(manifest: Path, folder: Path, **more: object) -> Path:
    """The manifest, with its results in `folder`."""
    data = yaml.safe_load(manifest.read_text())
    data["training_results_reference"] = {"type": "path", "target": {"path": str(folder)}, **more}
    manifest.write_text(yaml.safe_dump(data))
    return manifest


@pytest.fixture
def lab(training_lab: RealLab) -> RealLab:
    return training_lab


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of another account's, as on a file server: whoever launches has no need to own it."""
    folder = tmp_path / "Results_of.oak"
    folder.mkdir()
    os.chown(folder, OWNER, OWNER)
    folder.chmod(0o755)
    return folder


def test_a_model_comes_home_from_a_folder_and_each_byte_there_is_the_owners_and_has_its_checksum(
    bench: Bench, tmp_path: Path, folder: Path, left_nothing: None
) -> None:
    manifest = bench.manifest(tmp_path / "code", "python program.py", MODEL, nodes=1)
    record = bench.launch(into_folder(manifest, folder))
    run = folder / record["training_id"]
    assert (record["state"], record["endpoint_url"]) == ("COMPLETED", f"file://{folder}")
    sums = (run / "_run" / "SHA256SUMS").read_text()
    assert hashlib.sha256(sums.encode()).hexdigest() == record["checksums"]
    assert f"{record['training_id']}/model/saved_model.pb" in sums
    subprocess.run(["sha256sum", "--check", "--quiet", run / "_run" / "SHA256SUMS"], cwd=folder, check=True)
    assert {file.lstat().st_uid for file in folder.rglob("*")} == {OWNER}
    home = tmp_path / "home"
    collected = json.loads(bench.ok("collect", "--json", record["training_id"], "--to", home).stdout)
    assert list(collected["signatures"]) == ["serving_default"]
    assert "COMPLETED" in bench.ok("show", record["training_id"]).stdout
    (run / "model" / "saved_model.pb").write_bytes(b"other")
    refused = bench.run("collect", record["training_id"], "--to", tmp_path / "again")
    assert refused.returncode == 3, refused.stderr
    assert f"folder {folder} does not hold what {record['training_id']} wrote" in refused.stderr


def test_a_learner_sees_its_own_results_alone_and_a_run_can_be_repeated(
    bench: Bench, tmp_path: Path, folder: Path, left_nothing: None
) -> None:
    (folder / "another").mkdir()
    (folder / "another" / "secret").write_text("not yours")
    look = "\nfor root, _, names in os.walk('/mnt/results'):\n    for name in names: print('SEES', root, name)\n"
    manifest = into_folder(bench.manifest(tmp_path / "m", "python program.py", PROGRAM + look), folder)
    record = bench.launch(manifest)
    run = folder / record["training_id"]
    assert sorted(file.name for file in (run / "model").iterdir()) == ["part-0", "part-1"]
    assert sorted(file.name for file in (folder / "_wml_checkpoints").iterdir()) == ["note-0", "note-1"]
    place = f"/mnt/results/results-of-oak/{record['training_id']}"
    assert (run / "name of 0, $HOME é").read_text() == place
    assert "not yours" not in (log := bench.ok("logs", record["training_id"]).stdout)
    assert "SEES /mnt/results/results-of-oak" in log
    assert "another" not in log
    again = json.loads(bench.ok("retry", "--json", record["training_id"]).stdout)
    assert again["state"] == "COMPLETED"
    assert (folder / again["training_id"] / "model" / "part-1").stat().st_size == 300_000


@pytest.mark.parametrize(
    ("mode", "words"), [(None, "is not there"), (0o555, f"is not writable for its owner (uid {OWNER})")]
)
def test_a_folder_that_takes_nothing_is_reported_before_anything_is_started(
    bench: Bench, tmp_path: Path, folder: Path, left_nothing: None, mode: int | None, words: str
) -> None:
    folder.rmdir() if mode is None else folder.chmod(mode)
    manifest = into_folder(bench.manifest(tmp_path / "m", "python program.py", PROGRAM), folder)
    done = bench.run("launch", manifest)
    assert done.returncode == 3, done.stderr
    assert f"this machine: {folder}, where the results go, {words}" in done.stderr
    assert "Traceback" not in done.stderr
    doctor = bench.run("doctor", manifest)
    assert words in " ".join(doctor.stdout.split())


def test_two_hosts_store_into_one_shared_folder_and_another_folder_of_the_same_name_is_refused(
    lab: RealLab, tmp_path: Path
) -> None:
    for host in lab.hosts:
        lab.ok(host, "mkdir -p /srv/alone /srv/shared")
    manifest = lab.bench.manifest(tmp_path / "m", "python program.py", PROGRAM)
    alone = lab.bench.run("launch", into_folder(manifest, Path("/srv/alone")), "--cluster", lab.cluster_file)
    assert alone.returncode == 3, alone.stderr
    assert f"{lab.hosts[1]}: /srv/alone, where the results go, is not the same as on {lab.hosts[0]}" in alone.stderr
    share(lab, "/srv/shared")
    launched = ("launch", "--json", into_folder(manifest, Path("/srv/shared")), "--cluster", lab.cluster_file)
    record = json.loads(lab.bench.ok(*launched, timeout=500).stdout)
    run = f"/srv/shared/{record['training_id']}"
    assert [lab.ok(host, f"ls {run}/model") for host in lab.hosts] == ["part-0\npart-1"] * 2
    lab.ok(lab.hosts[1], f"cd /srv/shared && sha256sum --check --quiet {run}/_run/SHA256SUMS")
    assert "part-1" in lab.ok(lab.hosts[0], f"cat {run}/_run/SHA256SUMS")
    assert "[1] from the other host" in lab.bench.ok("logs", record["training_id"]).stdout
    lab.bench.ok("collect", record["training_id"], "--to", tmp_path / "home", "--what", "all")  # it is no model
    parts = sorted((tmp_path / "home" / record["training_id"] / "model").iterdir())
    assert [(file.name, file.stat().st_size) for file in parts] == [("part-0", 300_000), ("part-1", 300_000)]
    for host in lab.hosts:
        assert lab.ok(host, "docker ps --all --quiet; docker volume ls --quiet") == ""

"""The public record of a real run: there at its end, verified, signed, exported; and never true of other results."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jsonschema
import pytest

from .bench import MODEL, Bench

QUICK = """import json, os
print("trained")
json.dump({"loss": 0.5}, open(os.environ["RESULT_DIR"] + "/metrics.json", "w"))
"""


@pytest.fixture(scope="module")
def trained(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """A run of one rank that leaves a model."""
    folder = tmp_path_factory.mktemp("trained")
    return bench.launch(bench.manifest(folder, "python program.py", QUICK + MODEL, nodes=1))


def verified(bench: Bench, *words: object) -> subprocess.CompletedProcess[str]:
    return bench.run("record", "verify", *words)


def test_a_run_leaves_its_record_beside_its_results(bench: Bench, trained: dict) -> None:
    run = trained["training_id"]
    document = json.loads((bench.results(run) / "record.json").read_text())
    jsonschema.validate(document, json.loads(bench.ok("record", "schema").stdout))
    assert json.loads(bench.ok("record", "show", run, "--json").stdout) == document
    assert document["end"]["state"] == "COMPLETED"
    assert [stage["state"] for stage in document["stages"]] == [state for state, _ in trained["states"]]
    assert document["steps"][0]["argv"] == document["commands"][0]["argv"], "what was planned is what ran"
    there = [file for file in (bench.home / "buckets" / "mnist-training-data").rglob("*") if file.is_file()]
    assert document["data"]["listing"]["files"] == len(there) >= 4
    assert document["metrics"] == {"loss": 0.5}
    assert {one["path"] for one in document["results"]["files"]} >= {"metrics.json", "model/saved_model.pb"}
    text = json.dumps(document)
    keys = json.loads((bench.home / "embedded-keys.json").read_text()).values()
    assert not [key for key in (*keys, (bench.home / "runs" / f"{run}.key").read_text()) if key in text]


def test_it_verifies_and_fails_after_one_byte_of_a_result_has_changed(bench: Bench, trained: dict) -> None:
    run = trained["training_id"]
    done = verified(bench, run)
    assert done.returncode == 0, done.stderr
    assert "the same as this machine recorded of the run" in done.stderr
    file = bench.results(run) / "model" / "saved_model.pb"
    whole = file.read_bytes()
    file.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    try:
        done = verified(bench, run)
    finally:
        file.write_bytes(whole)
    assert done.returncode == 5
    assert "'model/saved_model.pb': SHA-256" in done.stderr
    assert verified(bench, run).returncode == 0


def test_a_signed_run_is_verified_by_someone_who_has_only_files_and_the_public_key(
    bench: Bench, trained: dict, tmp_path: Path
) -> None:
    run, key, public = trained["training_id"], tmp_path / "key.pem", tmp_path / "key.pub"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key], check=True)
    subprocess.run(["openssl", "ec", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
    given = tmp_path / "given"
    given.mkdir()
    bench.ok("record", "sign", run, "--key", key, "-o", given)
    bench.ok("record", "export", run, "-o", tmp_path / "crate")
    bench.ok("collect", run, "--to", tmp_path)
    other = Bench(tmp_path / "another home")
    done = verified(other, given / "record.json", "--folder", tmp_path / run, "--key", public)
    assert done.returncode == 0, done.stderr
    assert "record and model are signed with this key" in done.stderr
    (tmp_path / run / "model" / "fingerprint.pb").write_bytes(b"")
    assert verified(other, given / "record.json", "--folder", tmp_path / run, "--key", public).returncode == 5


@pytest.mark.parametrize(
    "program", ["raise SystemExit(3)", 'open(os.environ["RESULT_DIR"] + "/record.json", "w").write("mine")']
)
def test_a_failed_run_leaves_one_too_and_a_programs_own_file_of_that_name_stays(
    bench: Bench, tmp_path: Path, program: str
) -> None:
    manifest = bench.manifest(tmp_path, "python program.py", f"import os\n{program}\n", nodes=1)
    bench.run("launch", manifest)
    run = bench.newest()
    mine = bench.results(run["training_id"]) / "record.json"
    assert (mine.read_text() == "mine") is ("mine" in program)
    found = json.loads(bench.ok("record", "show", run["training_id"], "--json").stdout)
    assert (found["end"]["state"], found["end"]["reason"]) == (run["state"], run["end"])
    assert verified(bench, run["training_id"]).returncode == 0

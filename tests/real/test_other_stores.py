"""Runs on stores with other ways: real engine, mounts and rclone; the store is a stand-in, as none is at hand."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.storage.stand_in_s3 import StandInS3, standing_in
from toolkit.agent.checksums import read_list

from .bench import Bench

PROGRAM = """
import os
model = os.fsencode(os.environ["RESULT_DIR"]) + b"/model"
os.makedirs(model)
open(model + b"/weights", "wb").write(os.urandom(100_000))
for name in (b"#a", b";b", b" lead", b"trail ", b"new\\nline", b"\\xe9t\\xe9", b"empty"):
    open(model + b"/" + name, "wb").write(b"" if name == b"empty" else b"data of " + name)
assert len(open(model + b"/weights", "rb").read()) == 100_000
assert os.listdir(os.environ["DATA_DIR"]) == ["x"]
"""
CUSTOMER_KEY = base64.b64encode(bytes(range(32))).decode()
KEYS = {"weights", "#a", ";b", " lead", "trail ", "new\nline", "‛E9t‛E9", "empty"}


@dataclass
class Elsewhere:
    """A store that is not the embedded one, with the data put into it."""

    bench: Bench
    server: StandInS3
    manifest: Path

    def launch(self, *words: object) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.bench.run("launch", "--json", *words, self.manifest).stdout)
        return record

    def model(self, record: dict[str, Any]) -> str:
        return f"mnist-training-models/{record['training_id']}/model/"

    def collect(self, record: dict[str, Any], folder: Path) -> dict[str, Any]:
        """What is wrong with it, as the command says."""
        done = self.bench.run("collect", "--json", record["training_id"], "--to", folder, "--what", "all")
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@contextmanager
def elsewhere(bench: Bench, folder: Path, **how: object) -> Iterator[Elsewhere]:
    with standing_in(**how) as server:
        manifest = bench.manifest(folder, "python program.py", PROGRAM, nodes=1)
        text = manifest.read_text().replace("endpoint_url: embedded", f"endpoint_url: {server.url}")
        text = re.sub(r"\$\{embedded:access_key_id\}", "AKIDEXAMPLE", text)
        if server.customer_key:
            (folder / "sse-c.key").write_text(server.customer_key)
            (folder / "sse-c.key").chmod(0o600)
            line = f"sse_customer_key: ${{file:{folder}/sse-c.key}}"
            text = re.sub(r"( +)(access_key_id: .*\n)", rf"\1\2\1{line}\n", text)
        manifest.write_text(re.sub(r"\$\{embedded:secret_access_key\}", "a-stand-ins-secret", text))
        data = folder / "data"
        data.mkdir()
        (data / "x").write_text("x")
        bench.ok("bucket", "put", manifest, data)
        again = bench.ok("bucket", "put", manifest, data)
        assert "0 files uploaded (0 B), 1 already there" in again.stdout + again.stderr
        data.rename(folder.parent / "put")
        yield Elsewhere(bench, server, manifest)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({}, id="plain", marks=pytest.mark.slow),
        pytest.param({"md5_etags": False}, id="other etags"),
        pytest.param({"region": "eu-south-2"}, id="region", marks=pytest.mark.slow),
        pytest.param({"customer_key": CUSTOMER_KEY}, id="customer's key"),
    ],
)
def test_a_run_is_stored_whole_whatever_its_names_and_a_changed_model_is_refused(
    bench: Bench, tmp_path: Path, left_nothing: None, how: dict[str, Any]
) -> None:
    with elsewhere(bench, tmp_path / "job", **how) as store:
        record = store.launch()
        assert (record["state"], record["kept"]) == ("COMPLETED", [])
        assert {key.removeprefix(store.model(record)) for key in store.server.objects if "/model/" in key} == KEYS
        listed = store.server.objects[f"mnist-training-models/{record['training_id']}/_run/SHA256SUMS"].data
        sums = read_list(listed)
        own = ("learner-1/training-log.txt", "_run/output.log", "_run/host-metrics.0.jsonl")
        logs = {f"{record['training_id']}/{name}" for name in own}
        assert set(sums) == {f"{record['training_id']}/model/{key}" for key in KEYS} | logs
        for key, sha256 in sums.items():
            assert hashlib.sha256(store.server.objects[f"mnist-training-models/{key}"].data).hexdigest() == sha256
        weights = store.server.objects[f"{store.model(record)}weights"]
        weights.data = bytes([weights.data[0] ^ 1]) + weights.data[1:]  # they are random: any byte may be there
        error = store.collect(record, tmp_path / "models")
        assert (error["error"], len(error["problems"])) == ("S302", 1)
        assert error["problems"][0].startswith(f"'{record['training_id']}/model/weights': SHA-256 ")
        assert not (tmp_path / "models" / record["training_id"]).exists()


def test_what_a_store_damages_while_it_takes_it_is_kept_on_the_host_until_it_takes_it_whole(
    bench: Bench, tmp_path: Path, left_nothing: None
) -> None:
    with elsewhere(bench, tmp_path / "job", md5_etags=False) as store:
        store.server.damages = "model/weights"
        id_file = tmp_path / "id"
        bench.run("launch", "--id-file", id_file, store.manifest)
        record = json.loads(bench.ok("show", "--json", id_file.read_text().strip()).stdout)
        assert (record["state"], record["end"], record["kept"]) == ("FAILED", "bucket write", ["this machine"])
        assert "/model/weights': has other contents: SHA-256" in record["evidence"]
        absent = bench.run("record", "show", record["training_id"])
        assert absent.returncode == 3
        assert f"toolkit rescue {record['training_id']}" in absent.stderr
        again = bench.run("rescue", record["training_id"])
        assert again.returncode == 3
        assert "model/weights" in again.stdout + again.stderr
        store.server.damages = ""
        bench.ok("rescue", record["training_id"])
        record = json.loads(bench.ok("show", "--json", record["training_id"]).stdout)
        assert (record["state"], record["kept"]) == ("COMPLETED", [])
        listed = store.server.objects[f"mnist-training-models/{record['training_id']}/_run/SHA256SUMS"].data
        assert hashlib.sha256(listed).hexdigest() == record["checksums"]
        weights = store.server.objects[f"{store.model(record)}weights"].data
        assert hashlib.sha256(weights).hexdigest().encode() in listed
        document = json.loads(bench.ok("record", "show", "--json", record["training_id"]).stdout)
        assert (document["end"]["state"], document["end"]["kept"]) == ("COMPLETED", [])
        assert [stage["state"] for stage in document["stages"][-2:]] == ["FAILED", "COMPLETED"]
        assert "the same as this machine recorded" in bench.ok("record", "verify", record["training_id"]).stderr
        assert "is what" in bench.ok("reproduce", record["training_id"], "--dry-run").stderr

"""The main job, end to end: real engine, S3, FUSE, sshd, mpirun, TensorFlow."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.run.plan.code_listing import code_digest, load_listing, save_listing

from .bench import MANIFEST, NOTHING, Bench, ours


@pytest.fixture(scope="module")
def trained(bench: Bench) -> dict:
    """The example, launched once."""
    return bench.launch(MANIFEST)


def rank_lines(bench: Bench, training_id: str, rank: int) -> list[str]:
    lines = bench.log(training_id, rank + 1)
    return [line.removeprefix(f"[{rank}] ") for line in lines if line.startswith(f"[{rank}] ")]


def test_every_command_and_every_rank_ended_with_0(trained: dict) -> None:
    assert trained["state"] == "COMPLETED"
    statuses = [(step["exit_status"], step["ranks"]) for step in trained["steps"]]
    assert statuses == [(0, [0, 0]), (0, [])]
    names = [name for name, _ in trained["states"]]
    assert names == ["QUEUED", "PENDING", "DOWNLOADING", "PROCESSING", "STORING", "COMPLETED"]


def test_the_loss_falls_on_both_ranks(bench: Bench, trained: dict) -> None:
    for rank in (0, 1):
        text = "\n".join(rank_lines(bench, trained["training_id"], rank))
        losses = [float(loss) for loss in re.findall(r"epoch \d+/\d+  loss ([\d.]+)", text)]
        assert len(losses) == 8
        assert losses[-1] < losses[0] / 4


def test_both_ranks_end_with_identical_weights(bench: Bench, trained: dict) -> None:
    digests = [
        re.findall(r"weights sha256 ([0-9a-f]{64})", "\n".join(rank_lines(bench, trained["training_id"], rank)))
        for rank in (0, 1)
    ]
    assert len(digests[0]) == 1
    assert digests[0] == digests[1]


def test_the_submitted_code_is_stored_without_the_manifest(bench: Bench, trained: dict) -> None:
    stored = {file.name for file in (bench.results(trained["training_id"]) / "_submitted_code").iterdir()}
    assert stored == {"train.py", "transform.py", "check_model.py", "make_digits.py", "digits.py"}


def test_a_report_has_the_runs_times_and_its_log(bench: Bench, trained: dict, tmp_path: Path) -> None:
    said = json.loads(bench.ok("report", trained["training_id"], "-o", tmp_path / "report.html", "--json").stdout)
    text = (tmp_path / "report.html").read_text()
    assert (said["runs"], said["notes"], said["bytes"]) == ([trained["training_id"]], [], len(text.encode()))
    assert len(re.findall(r"<td>[01]</td><td>epoch 8/8  loss", text)) == 2
    assert "rank 1 <small>learner 2</small>" in text


def test_collect_brings_a_model_home_that_is_whole_and_right(bench: Bench, trained: dict, tmp_path: Path) -> None:
    said = json.loads(bench.ok("collect", trained["training_id"], "--to", tmp_path, "--json").stdout)
    home = tmp_path / trained["training_id"]
    assert sorted(said["signatures"]) == ["predict_images", "serving_default"]
    assert said["signatures"]["predict_images"] == {
        "inputs": {"images": {"dtype": "float32", "shape": [-1, 784]}},
        "outputs": {"class_index": {"dtype": "int64", "shape": [-1]}},
        "method": "",
    }
    assert said["metrics"]["accuracy"] >= 0.9
    assert (home / "model" / "saved_model.pb").is_file()
    assert (home / "model" / "variables" / "variables.index").is_file()
    for line in (home / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ", 1)
        assert hashlib.sha256((home / name).read_bytes()).hexdigest() == digest
    shown = bench.ok("show", trained["training_id"]).stdout
    assert "2 learners, 2 ranks (CPU instead of GPUs)" in shown
    assert re.search(r"metrics +ranks 2, loss [\d.]+, accuracy 0\.9\d+", shown)


def test_a_damaged_collection_is_fetched_again(bench: Bench, trained: dict, tmp_path: Path) -> None:
    bench.ok("collect", trained["training_id"], "--to", tmp_path)
    model = tmp_path / trained["training_id"] / "model" / "saved_model.pb"
    whole = model.read_bytes()
    model.write_bytes(whole[:-1])
    bench.ok("collect", trained["training_id"], "--to", tmp_path)
    assert model.read_bytes() == whole


NO_MODEL = """
import os
from pathlib import Path
model = Path(os.environ["RESULT_DIR"], "model")
model.mkdir()
(model / "saved_model.pb").write_text("no model")
"""


def test_a_model_that_does_not_load_fails_the_collection(bench: Bench, tmp_path: Path) -> None:
    record = bench.launch(bench.manifest(tmp_path / "run", "python program.py", NO_MODEL, nodes=1))
    done = bench.run("collect", record["training_id"], "--to", tmp_path / "models")
    assert done.returncode == 5
    assert "C202" in done.stderr
    assert "failed its check" in done.stderr
    assert "Traceback" not in done.stderr.split("\n")[0]


@pytest.mark.parametrize(
    ("check", "status", "words"),
    [
        ("print('fine'); print('{\"score\": 3}'); sys.exit(0)", 0, "fine"),
        ("print('no metrics'); raise SystemExit", 0, "no metrics"),
        ("print('[1, 2]')", 0, "[1, 2]"),
        ("print('measured'); sys.exit('accuracy 0.5 is too low')", 5, "accuracy 0.5 is too low"),
        ("print('measured'); 1 / 0", 5, "ZeroDivisionError"),
    ],
)
def test_the_submitted_check_decides(
    bench: Bench, trained: dict, tmp_path: Path, check: str, status: int, words: str
) -> None:
    with submitted(bench, trained["training_id"], f"import sys\n{check}\n".encode()):
        done = bench.run("collect", trained["training_id"], "--to", tmp_path)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "toolkit: error" in done.stderr or status == 0


@contextmanager
def submitted(bench: Bench, run: str, check: bytes) -> Iterator[None]:
    """As if the run had been launched with another check: in the bucket, and in the operator's own list and record."""
    runs, name = bench.home / "runs", "check_model.py"
    stored = bench.results(run) / "_submitted_code" / name
    files = {file: file.read_bytes() for file in (stored, runs / f"{run}.code", runs / f"{run}.json")}
    record = json.loads(files[runs / f"{run}.json"])
    listing = load_listing(bench.home, run, record["code_digest"])
    sha256 = hashlib.sha256(check).hexdigest()
    listing = tuple(replace(one, sha256=sha256) if one.name == name else one for one in listing)
    stored.write_bytes(check)
    save_listing(bench.home, run, listing)
    (runs / f"{run}.json").write_text(json.dumps(record | {"code_digest": code_digest(listing)}))
    try:
        yield
    finally:
        for file, content in files.items():
            file.write_bytes(content)


def test_nothing_is_left(bench: Bench, trained: dict) -> None:
    assert (bench.home / "runs" / f"{trained['training_id']}.json").is_file()
    assert ours(bench) == NOTHING

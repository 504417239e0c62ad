"""What a run is given of its folder, on a real engine and store: no key, every mode, nothing that someone forged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .bench import MANIFEST, NOTHING, Bench, ours

CANARY = "canaryV5u2kq81Zd0xWb7n"
PROGRAM = """#!/bin/sh
set -e
ls -lAR /job/code
grep -rsl "canar[y]V" /job/code /run/learner && exit 9
env | grep -i "canar[y]V" && exit 9
mkdir -p "$RESULT_DIR/model" && echo x > "$RESULT_DIR/model/saved_model.pb"
echo this is what was submitted
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that must be executable, and keys in every disguise beside it."""
    folder = tmp_path_factory.mktemp("code")
    text = MANIFEST.read_text().replace("nodes: 2", "nodes: 1")
    text = text.replace("command: python train.py ; python transform.py", "command: ./bin/run.sh")
    (folder / "manifest.yml").write_text(text)
    (folder / "bin").mkdir()
    (folder / "bin" / "run.sh").write_text(PROGRAM)
    (folder / "bin" / "run.sh").chmod(0o755)
    for name in (".env", "s3.key", "id_rsa", "manifest.yml~", ".aws/credentials", ".git-credentials"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"aws_secret_access_key = {CANARY}\n")
    literal = text.replace("${embedded:secret_access_key}", CANARY)
    (folder / "manifest-old.yml").write_text(literal)
    return folder


@pytest.fixture(scope="module")
def record(bench: Bench, code: Path) -> dict[str, Any]:
    """The run."""
    return bench.launch(code / "manifest.yml")


def test_no_key_reaches_learners_bucket_or_record(bench: Bench, record: dict[str, Any]) -> None:
    assert record["state"] == "COMPLETED", record
    stored = bench.results(record["training_id"])
    names = {str(file.relative_to(stored / "_submitted_code")) for file in (stored / "_submitted_code").rglob("*.*")}
    assert names == {"bin/run.sh"}
    found = [file for folder in (stored, bench.home / "runs") for file in folder.rglob("*") if file.is_file()]
    assert found
    assert not [file for file in found if CANARY.encode() in file.read_bytes()]
    assert len(record["code_digest"]) == 64


def test_retry_runs_the_very_code_with_its_modes(bench: Bench, record: dict[str, Any]) -> None:
    again = json.loads(bench.ok("retry", record["training_id"], "--json").stdout)
    assert (again["state"], again["code_digest"]) == ("COMPLETED", record["code_digest"])
    assert ours(bench) == NOTHING


@pytest.mark.parametrize("verb", ["retry", "resume", "collect"])
def test_forged_code_is_refused_by_name(bench: Bench, record: dict[str, Any], tmp_path: Path, verb: str) -> None:
    stored = bench.results(record["training_id"]) / "_submitted_code"
    (stored / "bin" / "run.sh").replace(tmp_path / "run.sh")
    (stored / "bin" / "run.sh").write_text("#!/bin/sh\necho this was never submitted\n")
    (stored / "check_model.py").write_text("print('nor was this')\n")
    try:
        words = ["--to", tmp_path / "models"] if verb == "collect" else []
        done = bench.run(verb, record["training_id"], *words)
    finally:
        (tmp_path / "run.sh").replace(stored / "bin" / "run.sh")
        (stored / "check_model.py").unlink()
    assert done.returncode == 2, done.stderr
    assert "'bin/run.sh': changed" in done.stderr
    assert "'check_model.py': never submitted" in done.stderr
    assert "was never submitted" not in done.stdout
    assert not list((tmp_path / "models").rglob("check_model.py"))
    assert ours(bench) == NOTHING

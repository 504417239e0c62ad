"""A training on Debian 13's image, whose Open MPI is the fifth: its runtime takes other words than 4.1's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.paths import assets, cache

EXAMPLE = assets() / "examples" / "mnist"


@pytest.mark.timeout(3600)
def test_ranks_train_together_and_mpirun_has_nothing_to_complain_of(tmp_path: Path) -> None:
    def toolkit(*words: object) -> str:
        environment = {**os.environ, "TOOLKIT_HOME": str(tmp_path / "home"), "TOOLKIT_CACHE": str(cache())}
        argv = [sys.executable, "-m", "toolkit", *map(str, words)]
        return subprocess.run(argv, env=environment, check=True, capture_output=True, text=True).stdout

    shutil.copytree(EXAMPLE, tmp_path / "code")
    manifest = tmp_path / "code" / "manifest.yml"
    text = manifest.read_text().replace('version: "2.19"', 'version: "2.21"').replace('"3.11"', '"3.13"')
    manifest.write_text(text)
    subprocess.run([sys.executable, EXAMPLE / "make_digits.py", tmp_path / "digits"], check=True, capture_output=True)
    toolkit("build", manifest)
    toolkit("bucket", "put", manifest, tmp_path / "digits")
    record = json.loads(toolkit("launch", "--json", manifest))
    assert (record["state"], record["steps"][0]["ranks"]) == ("COMPLETED", [0, 0])
    assert "--prtemca" in record["mpirun"]
    results = tmp_path / "home" / "buckets" / record["results_bucket"] / record["training_id"]
    logs = [(results / f"learner-{number}" / "training-log.txt").read_text() for number in (1, 2)]
    sums = {line.split()[-1] for log in logs for line in log.splitlines() if "weights sha256" in line}
    assert len(sums) == 1
    assert "WARNING: An invalid value" not in logs[0]

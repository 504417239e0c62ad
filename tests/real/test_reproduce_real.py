"""A run is reproduced from its crate by someone with an empty home; one whose seed differs tells where they part."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from .bench import Bench
from .conftest import put_digits

pytestmark = pytest.mark.usefixtures("left_nothing")

PROGRAM = """
import os
os.environ["DDL_GUARD"] = "10"
import json
import ddl
import keras
import numpy as np
SEED = 1
keras.utils.set_random_seed(ddl.rank())
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(6, "tanh"), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.01), "mse")
def fit(seed, steps):
    x = np.random.default_rng(seed).normal(size=(8 * steps, 4)).astype("float32")
    return model.fit(x, x[:, :1] ** 2, batch_size=8, verbose=0, shuffle=False).history["loss"][-1]
fit(ddl.rank(), 25)
loss = fit(SEED, 30)
if ddl.rank() == 0:
    np.save(os.environ["RESULT_DIR"] + "/kernel.npy", model.get_weights()[0])
    json.dump({"loss": loss}, open(os.environ["RESULT_DIR"] + "/metrics.json", "w"))
"""


def test_a_run_is_reproduced_elsewhere_and_another_seed_is_named_with_where_the_weights_part(
    tmp_path: Path,
) -> None:
    one, other = Bench(tmp_path / "a home"), Bench(tmp_path / "another home")
    put_digits(one, tmp_path / "its digits")
    run = one.launch(one.manifest(tmp_path / "first", "python program.py", PROGRAM))["training_id"]
    crate, changed = tmp_path / "crate", tmp_path / "changed"
    one.ok("record", "export", run, "-o", crate)

    without_data = other.run("reproduce", crate / "record.json", "--dry-run")
    assert (without_data.returncode, "data could not be compared" in without_data.stdout) == (2, True)
    put_digits(other, tmp_path / "digits")
    done = other.run("reproduce", crate / "record.json", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["record"]["reproduces"] == run
    assert (said["comparison"]["verdict"], said["comparison"]["conditions"]) == ("identical", [])
    assert said["comparison"]["weights"]["1"] == {"steps": 55, "parting": None}
    again = other.results(said["record"]["training_id"]) / "record.json"
    assert json.loads(again.read_text())["run"]["reproduces"] == run

    shutil.copytree(crate / "code", changed)
    (changed / "program.py").write_text(PROGRAM.replace("SEED = 1", "SEED = 2"))
    refused = other.run("reproduce", crate / "record.json", "--code", changed)
    assert refused.returncode == 2
    assert "  code program.py: sha256 " in refused.stderr
    done = other.run("reproduce", crate / "record.json", "--code", changed, "--accept-differences")
    assert done.returncode == 5, done.stderr
    assert (
        "weights     command 1: weights part in steps 21 to 30, first in sequential/dense/kernel [4, 6]" in done.stdout
    )
    assert ": different" in done.stderr

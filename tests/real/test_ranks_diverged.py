"""Ranks that do not train one model fail the run, with a reason of its own; a good run keeps its weights' digests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .bench import Bench

SLOW = pytest.mark.slow
pytestmark = pytest.mark.usefixtures("left_nothing")

PROGRAM = """
import os
BAD = os.environ["OMPI_COMM_WORLD_RANK"] == "1"
import keras
import ddl
import numpy as np
import tensorflow as tf
{after}
keras.utils.set_random_seed(ddl.rank())
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(6, "tanh"), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.01), "mse")
x = np.random.default_rng(ddl.rank()).normal(size=(2000, 4)).astype("float32")
def fit(steps):
    model.fit(x[: 8 * steps], x[: 8 * steps, :1] ** 2, batch_size=8, verbose=0)
{train}
print("reached the end", flush=True)
"""
FIT = "fit(250)"
UNHOOKED = "if BAD: keras.optimizers.Optimizer.apply = keras.optimizers.Optimizer.apply.ddl_wraps"
BY_HAND = """if not BAD:
    fit(250)
for step in range(250 * BAD):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x[:8]) - x[:8, :1] ** 2))
    for variable, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables)):
        variable.assign_sub(0.01 * gradient)"""
NOT_AVERAGED = """if BAD:
    from ddl.tensorflow import optimizer_hook
    optimizer_hook.reduce_pairs = lambda engine, pairs, average: pairs"""
HARMED = """fit(120)
if BAD: model.trainable_variables[0].assign(model.trainable_variables[0] * 1.1)
fit(130)"""


@pytest.mark.parametrize(
    ("after", "train", "said"),
    [
        pytest.param(
            UNHOOKED, FIT, "by gradients of this rank alone: ddl did not average them", id="unhooked", marks=SLOW
        ),
        pytest.param("", BY_HAND, "rank 1 trains by itself: ", id="by hand", marks=SLOW),
        pytest.param(
            *(NOT_AVERAGED, FIT, "rank 1 has taken 1 steps, but gradients were averaged over all ranks 0 times"),
            id="not averaged",
            marks=SLOW,
        ),
        pytest.param(
            "", HARMED, "ranks diverged in steps 101 to 200: sequential/dense/kernel differs by ", id="harmed"
        ),
    ],
)
def test_a_run_whose_ranks_diverged_is_never_completed(
    bench: Bench, tmp_path: Path, after: str, train: str, said: str
) -> None:
    program = PROGRAM.format(after=after, train=train)
    done = bench.run("launch", bench.manifest(tmp_path, "python program.py ; echo never", program))
    record = bench.newest()
    assert done.returncode == 1
    assert (record["state"], record["end"], record["error_code"]) == ("FAILED", "ranks diverged", "C201")
    assert said in record["reason"]
    assert "ranks diverged" in bench.ok("show", record["training_id"]).stdout
    assert len(record["steps"]) == 1
    log = bench.log(record["training_id"], 1) + bench.log(record["training_id"], 2)
    assert not any("toolkit unsynchronised" in line for line in log)


def test_a_program_that_goes_on_after_all_fails_the_run_too(bench: Bench, tmp_path: Path) -> None:
    program = 'print(\'\\n\\x1etoolkit unsynchronised {"why": "ranks diverged: as I say"}\', flush=True)'
    assert bench.run("launch", bench.manifest(tmp_path, "python program.py", program)).returncode == 1
    record = bench.newest()
    assert (record["state"], record["end"]) == ("FAILED", "ranks diverged")
    assert record["reason"] == "command 1 of 1, `python program.py`: ranks diverged: as I say"
    assert record["steps"][0]["exit_status"] == 0


def test_digests_of_the_weights_are_kept_with_a_good_run(bench: Bench, tmp_path: Path) -> None:
    program = PROGRAM.format(after="", train=FIT)
    record = bench.launch(bench.manifest(tmp_path, "python program.py", program))
    file = bench.results(record["training_id"]) / "_run" / "weights.1.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["format", "weights", "digest", "digest", "digest"]
    assert [line["step"] for line in lines[2:]] == [100, 200, 250]


def test_a_link_that_a_program_plants_in_their_place_is_not_followed(bench: Bench, tmp_path: Path) -> None:
    program = (
        "import os\n"
        "if os.environ['OMPI_COMM_WORLD_RANK'] == '0': os.symlink('/etc/passwd', os.environ['DDL_GUARD_FILE'])\n"
    )
    done = bench.run("launch", bench.manifest(tmp_path, "python program.py", program))
    record = bench.newest()
    assert done.returncode != 0
    assert (record["state"], record["end"]) == ("FAILED", "tampered")
    assert "weights/1.jsonl is a symbolic link" in record["reason"]
    assert not (bench.results(record["training_id"]) / "_run" / "weights.1.jsonl").exists()

"""What a run measures: Keras's own lines, TensorBoard's event files and samples of the host, also while it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .bench import Bench, ours, read_until
from .test_api_real import NOTHING

KERAS = """
import os, time
import ddl, keras, numpy as np
keras.utils.set_random_seed(1)
x = np.random.rand(64, 4).astype("float32")
y = (x.sum(1) > 2).astype("float32")
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse", metrics=["mae"])
slow = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(3))
board = keras.callbacks.TensorBoard(os.environ["LOG_DIR"])
ddl.log_metric("share", 0.75, 3)
model.fit(x, y, batch_size=16, epochs=4, verbose=1, callbacks=[slow, board])
"""


def series(bench: Bench, training_id: str) -> dict[str, dict[tuple[str, str], list[float]]]:
    """By `ranks` and `hosts`, the values of each source and name."""
    found: dict[str, Any] = json.loads(bench.ok("metrics", "--json", training_id).stdout)
    return {
        kind: {(one["source"], one["name"]): [point["value"] for point in one["points"]] for one in found[kind]}
        for kind in ("ranks", "hosts")
    }


def test_metrics_of_keras_and_of_the_host_are_there_while_a_run_goes_on_and_afterwards(
    bench: Bench, tmp_path: Path
) -> None:
    manifest = bench.manifest(tmp_path / "code", "python program.py", KERAS, nodes=1)
    with bench.start("launch", "--id-file", tmp_path / "id", manifest) as launched:
        read_until(launched, "Epoch 4/4")
        training_id = (tmp_path / "id").read_text().strip()
        live = series(bench, training_id)
        launched.communicate(timeout=120)
    assert launched.returncode == 0
    after = series(bench, training_id)

    assert len(live["ranks"]["rank 0", "loss"]) >= 2
    losses = after["ranks"]["rank 0", "loss"]
    assert len(losses) == 4
    assert losses[-1] < losses[0]
    assert [round(loss, 3) for loss in after["ranks"]["rank 0", "train/epoch_loss"]] == [
        round(loss, 3) for loss in losses
    ]
    assert after["ranks"]["rank 0", "step_time"][-1] > 0
    assert live["ranks"]["rank 0", "share"] == after["ranks"]["rank 0", "share"] == [0.75]

    for found in (live["hosts"], after["hosts"]):
        assert 0 < found["this machine", "cpu"][-1] <= 100
        assert found["this machine", "memory"][-1] > 100 << 20
        assert found["this machine", "memory.learners"][0] > 1 << 20
        assert found["this machine", "network.received"][-1] >= 0
    assert len(after["hosts"]["this machine", "cpu"]) >= len(live["hosts"]["this machine", "cpu"])
    assert f"{training_id}/_run/host-metrics.0.jsonl" in (bench.results(training_id) / "_run/SHA256SUMS").read_text()
    assert ours(bench) == NOTHING

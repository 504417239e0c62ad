"""Run under mpirun: what rank 0 does by itself before and after training must not make it wait for the others.

Evaluating and loading a model build optimizers, as training does. Fails, or hangs, where ddl takes one for the other.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import ddl
import keras
import numpy as np

x = np.random.default_rng(ddl.rank()).normal(size=(32, 4)).astype(np.float32)
y = x.sum(axis=1, keepdims=True)

keras.utils.set_random_seed(ddl.rank())
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
model.compile("adam", "mse", jit_compile=True)  # asked for, but not to be had: XLA cannot compile a call to MPI
if ddl.rank() == 0:
    before = model.evaluate(x, y, verbose=0)
model.fit(x, y, epochs=3, batch_size=8, verbose=0)
if ddl.rank() == 0:
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model.keras"))
        again = keras.models.load_model(Path(folder, "model.keras"))
    print(f"loss {before:.4f} before, {model.evaluate(x, y, verbose=0):.4f} after, ", end="")
    print(f"{again.evaluate(x, y, verbose=0):.4f} loaded")
model.fit(x, y, epochs=1, batch_size=8, verbose=0)

for weight, of_rank_0 in zip(model.get_weights(), map(ddl.bcast, model.get_weights()), strict=True):
    np.testing.assert_array_equal(weight, of_rank_0)
print(f"rank {ddl.rank()}: the same weights", flush=True)

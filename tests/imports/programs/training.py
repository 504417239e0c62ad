"""Trainings on data that differ from rank to rank; each ends by comparing the ranks' weights. Imports no framework."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def fit(keras: Any, callbacks: Any = ()) -> None:
    """Keras's own loop."""
    import ddl

    keras.utils.set_random_seed(ddl.rank())
    model = make_model(keras)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    started = model.get_weights()
    x, y = data()
    model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=list(callbacks))
    compare(started, model.get_weights())


def make_model(keras: Any) -> Any:
    return keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(1)])


def data() -> tuple[np.ndarray, np.ndarray]:
    import ddl

    generator = np.random.default_rng(100 + ddl.rank())
    return generator.normal(size=(32, 4)).astype("f"), generator.normal(size=(32, 1)).astype("f")


def fit_with_callbacks(keras: Any) -> None:
    """With all of ddl's, whose warm-up has to have set the rate, and whose metrics have to be the same."""
    import ddl

    rates, losses = [], []

    class Noting(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            rates.append(float(np.asarray(self.model.optimizer.learning_rate)))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            losses.append(logs["loss"])

    fit(keras, (ddl.DDLGlobalVariablesCallback(), ddl.DDLWarmupCallback(2), ddl.DDLCallback(), Noting()))
    assert rates[0] < 0.06 < rates[-1], rates
    assert losses == ddl.bcast(losses), losses


def loop(optimizer: Any, how: str = "function") -> None:
    """A loop of the program's own."""
    import ddl
    import tensorflow as tf

    started = [np.full((4, 1), 1.0 + ddl.rank(), "f"), np.full((1,), 2.0 - ddl.rank(), "f")]
    keras = sys.modules.get("keras")
    is_keras_3 = hasattr(keras, "Variable") and isinstance(optimizer, keras.optimizers.Optimizer)
    variables = [(keras.Variable if is_keras_3 else tf.Variable)(value) for value in started]
    values = [variable.value if is_keras_3 else variable for variable in variables]
    x, y = map(tf.constant, data())

    def step() -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((tf.matmul(x, values[0]) + values[1] - y) ** 2)
        optimizer.apply_gradients(list(zip(tape.gradient(loss, values), variables, strict=True)))

    step = tf.function(step) if how == "function" else step
    for _ in range(3):
        step()
    compare(started, [variable.numpy() for variable in variables])


def distribute() -> None:
    """A model of PyTorch's."""
    import ddl.torch
    import torch

    torch.manual_seed(ddl.rank())
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    ddl.torch.distribute(model, optimizer)
    _train(model, optimizer, model)


def distribute_by_pytorch() -> None:
    """The same, by PyTorch's own tools."""
    import ddl
    import torch
    import torch.distributed

    torch.distributed.init_process_group("ddl")
    torch.manual_seed(ddl.rank())
    model = torch.nn.Linear(4, 1)
    _train(model, torch.optim.SGD(model.parameters(), 0.1), torch.nn.parallel.DistributedDataParallel(model))
    torch.distributed.destroy_process_group()


def _train(model: Any, optimizer: Any, distributed: Any) -> None:
    import torch

    started = [parameter.detach().numpy().copy() for parameter in model.parameters()]
    x, y = map(torch.from_numpy, data())
    for _ in range(3):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(distributed(x), y).backward()
        optimizer.step()
    compare(started, [parameter.detach().numpy() for parameter in model.parameters()])


def refuse(make_optimizer: Callable[[], Any]) -> None:
    """An optimizer whose gradients nothing averages: it must be refused, by its name, before it changes anything."""
    for how in ("eager", "function"):
        try:
            loop(make_optimizer(), how)
        except RuntimeError as error:
            assert "ddl: the optimizer __main__.Own would change " in str(error), error
        else:
            raise AssertionError(f"it was not refused: {how}")
    print("SAME refused", flush=True)


def compare(started: list[np.ndarray], ended: list[np.ndarray]) -> None:
    """All ranks must have the same weights, to the last bit, and others than at the start."""
    import ddl

    assert ddl.size() == 2
    digest = hashlib.sha256(b"".join(weight.tobytes() for weight in ended)).hexdigest()
    assert digest == ddl.bcast(digest), "ranks ended with different weights"
    assert any((a != b).any() for a, b in zip(started, ended, strict=True)), "nothing was trained"
    print("SAME", digest[:16], flush=True)

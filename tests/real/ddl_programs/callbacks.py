"""Run under mpirun: ddl's callbacks in `fit`, and shares of data. Fails where a value is not what all ranks' make it.

Rank 0 alone has "restored a checkpoint": its weights, moving statistics and optimizer state must become everybody's.
"""

from __future__ import annotations

import ddl
import keras
import numpy as np
import tensorflow as tf

EPOCHS, WARM, RATE = 3, 2, 0.02
SIZE, RANK = ddl.size(), ddl.rank()


def make_model() -> keras.Model:
    keras.utils.set_random_seed(RANK)
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((4,)), layers.Dense(6), layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(RATE, momentum=0.9), "mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    return model


def optimizer_values(model: keras.Model) -> list[np.ndarray]:
    variables = model.optimizer.variables
    return [np.asarray(v) for v in (variables() if callable(variables) else variables)]


def statistics(model: keras.Model) -> list[np.ndarray]:
    return [np.asarray(v) for v in model.non_trainable_variables if "float" in str(v.dtype)]


class Notes(keras.callbacks.Callback):
    """What a rank has: with the global variables before the first batch, of itself before the average, and then."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[np.ndarray] = []
        self.own: list[tuple[dict, list[np.ndarray]]] = []
        self.rates: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if not self.begun:
            self.begun = [*self.model.get_weights(), *optimizer_values(self.model)]

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.rates.append(float(np.asarray(self.model.optimizer.learning_rate)))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.own.append((dict(logs or {}), statistics(self.model)))


def same(values: list, what: str) -> None:
    for value, of_rank_0 in zip(values, ddl.bcast([np.asarray(v) for v in values]), strict=True):
        np.testing.assert_array_equal(value, of_rank_0, err_msg=f"{what} differ between ranks")


def fit() -> None:
    model = make_model()
    if RANK == 0:
        for variable in (*model.non_trainable_variables, *model.optimizer.variables):
            if "float" in str(variable.dtype) and "learning_rate" not in variable.name:
                variable.assign(tf.ones(variable.shape) * 0.5)
        model.optimizer.iterations.assign(7)
    generator = np.random.default_rng(RANK)
    x = generator.normal(RANK, size=(32, 4)).astype(np.float32)
    notes = Notes()
    callbacks = [ddl.DDLGlobalVariablesCallback(), ddl.DDLWarmupCallback(WARM), notes, ddl.DDLCallback()]
    y = x.sum(axis=1, keepdims=True)
    history = model.fit(x, y, batch_size=8, epochs=EPOCHS, verbose=0, validation_split=0.25, callbacks=callbacks)

    same(notes.begun, "variables at the beginning")
    assert any((value == 7).all() for value in notes.begun), "the optimizer's state was not rank 0's"
    same(model.get_weights(), "weights and moving statistics")
    for epoch, (logs, own) in enumerate(notes.own):
        names = sorted(logs)
        averages = ddl.allreduce_n([np.float64(logs[name]) for name in names])
        assert {"loss", "mae", "val_loss"} <= set(names)
        np.testing.assert_allclose([history.history[name][epoch] for name in names], averages, rtol=1e-12)
        if epoch == EPOCHS - 1:
            for value, average in zip(statistics(model), ddl.allreduce_n(own), strict=True):
                np.testing.assert_allclose(value, average, rtol=1e-6)
    steps = 3  # 24 examples in batches of 8
    done = [min(1.0, step / (steps * WARM)) for step in range(EPOCHS * steps)]
    np.testing.assert_allclose(notes.rates, [RATE * (1 + part * (SIZE - 1)) / SIZE for part in done], rtol=1e-6)


def shares() -> None:
    """Known, unknown and endless lengths: equally long shares, together every example of the full rounds once."""
    count = 5 * SIZE + SIZE - 1
    numbers = tf.data.Dataset.range(count)
    for dataset in (numbers, numbers.filter(lambda _: True)):
        mine = [int(number) for number in ddl.shard(dataset)]
        assert mine == list(range(RANK, 5 * SIZE, SIZE)), mine
    endless = [int(number) for number in ddl.shard(numbers.repeat()).take(3)]
    assert endless == [RANK, RANK + SIZE, RANK + 2 * SIZE]
    assert ddl.shard(np.arange(count)).tolist() == list(range(RANK, 5 * SIZE, SIZE))


if __name__ == "__main__":
    fit()
    shares()
    print(f"rank {RANK}: all as it should be", flush=True)

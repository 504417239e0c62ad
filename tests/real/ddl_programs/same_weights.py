"""Run under mpirun: ranks that start from different weights train on parts of each batch; afterwards all have the
weights of one process that trained on the whole batches. Fails where they differ.

    same_weights.py fit | fit-eagerly | fit-deferred | function | function-deferred | apply | scaled | two | eager
    same_weights.py legacy     (Keras 2 alone)
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import ddl
import keras
import numpy as np
import tensorflow as tf
from ddl.session import engine

STEPS, PART, RATE = 6, 8, 0.1  # steps; rows of a batch on each rank; learning rate
BATCH = PART * ddl.size()
KERAS_2 = keras.__version__.startswith("2.")
LOSS = keras.losses.MeanSquaredError()


def make_model(seed: int) -> keras.Model:
    model = make_deferred(seed)
    model.build((None, 4))
    return model


def make_deferred(seed: int) -> keras.Model:
    """A model that gets its weights when it first sees data: here, while Keras traces the first step."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)])


def batches() -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(7)
    return [(generator.normal(size=(BATCH, 4)), generator.normal(size=(BATCH, 1))) for _ in range(STEPS)]


def mine(array: np.ndarray) -> tf.Tensor:
    """This rank's part of a batch."""
    return tf.constant(array[ddl.rank() * PART : (ddl.rank() + 1) * PART], tf.float32)


def gradients(model: keras.Model, x: tf.Tensor, y: tf.Tensor, scale: Callable = tf.identity) -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
        loss = LOSS(y, model(x)) * scale(tf.constant(1.0))
    return tape.gradient(loss, model.trainable_variables)


def one_process() -> list[np.ndarray]:
    """Gradient descent by hand on the whole batches, from rank 0's weights: neither an optimizer nor ddl is in it."""
    model = make_model(seed=0)
    for x, y in batches():
        grads = gradients(model, tf.constant(x, tf.float32), tf.constant(y, tf.float32))
        for variable, grad in zip(model.trainable_variables, grads, strict=True):
            variable.assign(variable - RATE * grad)
    return model.get_weights()


def fit(model: keras.Model, eagerly: bool = False) -> None:
    model.compile(keras.optimizers.SGD(RATE), LOSS, run_eagerly=eagerly)
    x, y = (np.concatenate([mine(array) for array in arrays]) for arrays in zip(*batches(), strict=True))
    model.fit(x, y, batch_size=PART, epochs=1, shuffle=False, verbose=0)


def make_optimizer(how: str) -> keras.optimizers.Optimizer:
    if how == "legacy":
        return keras.optimizers.legacy.SGD(RATE)
    optimizer = keras.optimizers.SGD(RATE)
    if how != "scaled":  # mixed precision's
        return optimizer
    if KERAS_2:
        return keras.mixed_precision.LossScaleOptimizer(optimizer, initial_scale=8.0)
    return keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=8.0)


def scaling(optimizer: keras.optimizers.Optimizer) -> Callable:
    if KERAS_2:
        return getattr(optimizer, "get_scaled_loss", tf.identity)
    return optimizer.scale_loss


def loop(model: keras.Model, how: str) -> None:
    """A training loop of the user's own."""
    optimizer, last = (make_optimizer(how) for _ in range(2))

    def step(x: tf.Tensor, y: tf.Tensor) -> None:
        grads, variables = gradients(model, x, y, scaling(optimizer)), model.trainable_variables
        if how == "scaled" and KERAS_2:
            grads = optimizer.get_unscaled_gradients(grads)
        if how == "apply" and not KERAS_2:
            optimizer.apply(grads, variables)
        elif how == "two":  # two optimizers in one function, which share nothing: their order must be kept
            last.apply_gradients(zip(grads[2:], variables[2:], strict=True))
            optimizer.apply_gradients(zip(grads[:2], variables[:2], strict=True))
        else:
            optimizer.apply_gradients(zip(grads, variables, strict=True))

    run = step if how == "eager" else tf.function(step)
    if how == "scaled":
        overflow_on_one_rank(optimizer, model)
    for x, y in batches():
        calls_before = engine().collectives
        run(mine(x), mine(y))
    calls = engine().collectives - calls_before
    assert calls == (2 if how == "two" else 1), f"{calls} reductions in a step"


def overflow_on_one_rank(optimizer: keras.optimizers.Optimizer, model: keras.Model) -> None:
    """A gradient that is too large on the last rank only: every rank must skip the step and halve the scale."""
    before = model.get_weights() if ddl.rank() == 0 else None
    value = np.inf if ddl.rank() == ddl.size() - 1 else 0.0
    optimizer.apply_gradients([(tf.fill(v.shape, value), v) for v in model.trainable_variables])
    assert float(optimizer.loss_scale if KERAS_2 else optimizer.dynamic_scale) == 4.0, "the step was not skipped"
    for weight, kept in zip(model.get_weights(), ddl.bcast(before), strict=True):
        np.testing.assert_array_equal(weight, kept)


def main(how: str) -> None:
    model = make_model(seed=ddl.rank())
    started = [ddl.bcast(weight.copy()) for weight in model.get_weights()]
    differs = any((a != b).any() for a, b in zip(started, model.get_weights(), strict=True))
    assert differs == (ddl.rank() > 0), "ranks were to start from different weights"
    if how.endswith("deferred"):
        model = make_deferred(seed=ddl.rank())
    if how in ("fit", "fit-eagerly", "fit-deferred"):
        fit(model, eagerly=how == "fit-eagerly")
    else:
        loop(model, how)
    for weight, of_rank_0 in zip(model.get_weights(), map(ddl.bcast, model.get_weights()), strict=True):
        np.testing.assert_array_equal(weight, of_rank_0, err_msg="ranks ended with different weights")
    expected = one_process()
    error = max(np.abs(a - b).max() for a, b in zip(model.get_weights(), expected, strict=True))
    moved = max(np.abs(a - b).max() for a, b in zip(started, expected, strict=True))
    print(
        f"rank {ddl.rank()}: {how}: weights moved by {moved:.3f}, differ from one process's by {error:.1e}", flush=True
    )
    assert error < 1e-5, "the weights are not those of one process"


if __name__ == "__main__":
    main(sys.argv[1])

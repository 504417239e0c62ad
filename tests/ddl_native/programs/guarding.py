"""Trains a small model on every rank in one of several ways, with something wrong on rank 1 in another of several.

guarding.py WAY WRONG [STEPS]
"""

from __future__ import annotations

import os
import sys
import time

WAY, WRONG = sys.argv[1:3]
STEPS = int(sys.argv[3]) if len(sys.argv) > 3 else 25
BAD = os.environ["OMPI_COMM_WORLD_RANK"] == "1"

import keras  # noqa: I001 (before ddl: other orders have tests of their own)
import ddl
import numpy as np
import tensorflow as tf

RATE = 0.05
generator = np.random.default_rng(ddl.rank())


def batch(size: int = 8) -> tuple[tf.Tensor, tf.Tensor]:
    x = generator.normal(size=(size, 4)).astype("float32")
    return tf.constant(x), tf.constant(x[:, :1] ** 2)


def make_model():
    keras.utils.set_random_seed(ddl.rank())
    return keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(6, "tanh"), keras.layers.Dense(1)])


def harm(step: int, variables: list[tf.Variable]) -> None:
    """What rank 1 does to its weights between two steps."""
    if not BAD or step != 12:
        return
    first = variables[0]
    if WRONG == "much":
        first.assign(first * 1.01)
    elif WRONG == "little":
        first.assign(first * (1 + 3e-7))
    elif WRONG == "not-finite":
        first.assign(first * np.float32("nan"))


def loss(y: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.square(y - z))


def fit() -> None:
    model = make_model()
    spe = 5 if WAY == "fit-many" else 1
    model.compile(keras.optimizers.Adam(RATE), "mse", steps_per_execution=spe, run_eagerly=WAY == "fit-eagerly")
    for step in range(STEPS):
        x, y = batch()
        model.fit(np.tile(x, (spe, 1)), np.tile(y, (spe, 1)), batch_size=8, verbose=0)
        harm(step, model.trainable_variables)


def loop() -> None:
    model, optimizer = make_model(), keras.optimizers.Adam(RATE)

    def step(x: tf.Tensor, y: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            value = loss(y, model(x))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))

    def alone(x: tf.Tensor, y: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            value = loss(y, model(x))
        for variable, gradient in zip(model.trainable_variables, tape.gradient(value, model.trainable_variables)):
            variable.assign_sub(RATE * gradient)

    if WRONG == "all-alone" or (WRONG == "alone" and BAD):
        step = alone
    if WRONG == "excluded":
        ddl.guard_exclude(model.trainable_variables[1])
    traced = tf.function(step)

    @tf.function
    def nested(x: tf.Tensor, y: tf.Tensor) -> None:
        for _ in tf.range(1):
            if tf.reduce_sum(x) > -1e9:
                traced(x, y)

    began = time.monotonic()
    for number in range(STEPS):
        if WAY == "eager" or (WAY == "mixed" and number % 2):
            step(*batch())
        elif WAY == "nested":
            nested(*batch())
        else:
            traced(*batch(8 + number % 3 if WAY == "retraced" else 8))
        harm(number, model.trainable_variables)
        if WRONG in ("alone", "all-alone") and STEPS > 25:
            time.sleep(0.01)
    print(f"rank {ddl.rank()}: {time.monotonic() - began:.1f} s")
    if WRONG in ("at-end", "excluded") and BAD:
        model.trainable_variables[1].assign_add(model.trainable_variables[1] * 0 + 0.5)
    if WRONG == "rank-0-restores" and ddl.rank() == 0:
        model.trainable_variables[1].assign_add(model.trainable_variables[1] * 0 + 0.5)


def two() -> None:
    """Two models' steps in one function: both are compared after the same step, and TensorFlow has one thread."""
    tf.config.threading.set_inter_op_parallelism_threads(1)
    models = [make_model(), make_model()]
    optimizers = [keras.optimizers.Adam(RATE), keras.optimizers.SGD(RATE)]

    @tf.function
    def step(x: tf.Tensor, y: tf.Tensor) -> None:
        for model, optimizer in zip(models, optimizers):
            with tf.GradientTape() as tape:
                value = loss(y, model(x))
            gradients = tape.gradient(value, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables))

    for number in range(STEPS):
        step(*batch())
        harm(number, models[1].trainable_variables)


def session() -> None:
    tf.compat.v1.disable_eager_execution()
    x = tf.compat.v1.placeholder(tf.float32, (8, 4))
    y = tf.compat.v1.placeholder(tf.float32, (8, 1))
    kernel = tf.compat.v1.get_variable("kernel", (4, 1), initializer=tf.compat.v1.random_normal_initializer())
    train = tf.compat.v1.train.AdamOptimizer(RATE).minimize(loss(y, x @ kernel))
    worse = {
        "much": kernel.assign(kernel * 1.01),
        "little": kernel.assign(kernel * (1 + 3e-7)),
        "not-finite": kernel.assign(kernel * np.float32("nan")),
    }
    with tf.compat.v1.Session() as running:
        running.run(tf.compat.v1.global_variables_initializer())
        for step in range(STEPS):
            data = generator.normal(size=(8, 4))
            running.run(train, {x: data, y: data[:, :1] ** 2})
            if BAD and step == 12 and WRONG in worse:
                running.run(worse[WRONG])


if WRONG == "unhooked" and BAD:
    keras.optimizers.Optimizer.apply = keras.optimizers.Optimizer.apply.ddl_wraps
if WRONG == "not-averaged" and BAD:
    from ddl.tensorflow import optimizer_hook

    optimizer_hook.reduce_pairs = lambda _, pairs, **__: pairs
if WRONG == "excluded-on-one" and BAD:
    ddl.guard_exclude("*/bias*")
if WRONG == "more-steps" and BAD:
    STEPS -= 3
{"session": session, "two": two, "fit": fit, "fit-many": fit, "fit-eagerly": fit}.get(WAY, loop)()
print(f"rank {ddl.rank()}: reached the end")

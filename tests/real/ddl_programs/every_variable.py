"""Run under mpirun: variables made in every way, trained without Keras; after every step all ranks must have the same
weights, and after the last those of one process that trained on the whole batches. Fails where they differ.

    every_variable.py tape | tape-in-function | tape-alone | session | monitored | two-sessions | optimizer-1-eager
    every_variable.py gradients-in-function

The model is a regression on an embedding (whose gradient is sparse), with weights made before `import ddl` as
`tf.Variable(x)`, and others after it; one variable has no gradient.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable

import numpy as np
import tensorflow as tf

HOW = sys.argv[1]
IN_SESSION = HOW in ("session", "monitored", "two-sessions")
RANK = int(os.environ["OMPI_COMM_WORLD_RANK"])
STEPS, PART, RATE, WORDS = 5, 6, 0.1, 7
if IN_SESSION:
    tf.compat.v1.disable_eager_execution()


def initial(seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    shapes = [(WORDS, 4), (4, 3), (3, 1), (1,)]
    return [generator.normal(size=shape).astype(np.float32) for shape in shapes]


MINE = initial(RANK)
BEFORE = [tf.Variable(MINE[0]), tf.Variable(MINE[1])]  # both named "Variable"; made before the import

import ddl  # noqa: E402


def make_weights() -> list[tf.Variable]:
    """The early ones and two more: one by an initialiser, one with another's name."""
    late = [tf.Variable(lambda: tf.constant(MINE[2]), name="late"), tf.compat.v1.get_variable("b", initializer=MINE[3])]
    return [*BEFORE, *late]


def batches() -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(99)
    rows = PART * ddl.size()
    return [(generator.integers(0, WORDS, rows), generator.normal(size=(rows, 1))) for _ in range(STEPS)]


def mine(array: np.ndarray) -> np.ndarray:
    return ddl.shard(array)


def loss_of(weights: list, words: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    table, first, second, bias = weights
    # Given to an op as it is, a variable is read by C++ in an eager step; the others are by Python.
    hidden = tf.tanh(tf.raw_ops.MatMul(a=tf.nn.embedding_lookup(table, words), b=first))
    return tf.reduce_mean((tf.add(hidden @ second, bias) - y) ** 2)


def checksum(values: list[np.ndarray]) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(value).tobytes() for value in values)).hexdigest()


def compare(values: list[np.ndarray], step: int) -> None:
    """All ranks' checksums, against rank 0's."""
    found = checksum(values)
    assert ddl.bcast(found) == found, f"rank {RANK} differs after step {step}"


def by_hand() -> list[np.ndarray]:
    """Gradient descent in NumPy, float64, on the whole batches, from rank 0's weights."""
    table, first, second, bias = (value.astype(np.float64) for value in initial(0))
    for words, y in batches():
        rows = table[words]
        hidden = np.tanh(rows @ first)
        error = 2 * (hidden @ second + bias - y) / len(y)
        back = (error @ second.T) * (1 - hidden**2)
        of_table = np.zeros_like(table)
        np.add.at(of_table, words, back @ first.T)
        table, first = table - RATE * of_table, first - RATE * rows.T @ back
        second, bias = second - RATE * hidden.T @ error, bias - RATE * error.sum(axis=0)
    return [table, first, second, bias]


def eagerly() -> list[np.ndarray]:
    weights, unused = make_weights(), tf.Variable(1.0)
    optimizer = tf.compat.v1.train.GradientDescentOptimizer(RATE)

    def step(words: tf.Tensor, y: tf.Tensor) -> None:
        if HOW == "gradients-in-function":
            grads = tf.gradients(loss_of(weights, words, y), [*weights, unused])
        elif HOW == "tape-alone":
            with ddl.DistributedGradientTape(tf.GradientTape()) as tape:
                loss = loss_of(weights, words, y)
            for weight, grad in zip(weights, tape.gradient(loss, weights), strict=True):
                weight.assign_sub(RATE * grad)
            return
        else:
            with tf.GradientTape() as tape:
                loss = loss_of(weights, words, y)
            grads = tape.gradient(loss, [*weights, unused])
        assert grads[-1] is None
        if HOW == "optimizer-1-eager":
            optimizer.apply_gradients(zip(grads, [*weights, unused], strict=True))
            return
        pairs = ddl.grads_reduce(zip(grads, [*weights, unused], strict=True))
        for grad, weight in pairs[:-1]:
            weight.assign_sub(RATE * grad)

    run: Callable = tf.function(step) if HOW.endswith("in-function") else step
    for number, (words, y) in enumerate(batches()):
        run(tf.constant(mine(words)), tf.constant(mine(y), tf.float32))
        compare([weight.numpy() for weight in weights], number)
    return [weight.numpy() for weight in weights]


class Graph:
    """A version 1 graph: placeholders, weights, and one step of an optimizer of TensorFlow's own."""

    def __init__(self) -> None:
        self.words = tf.compat.v1.placeholder(tf.int64, [None])
        self.y = tf.compat.v1.placeholder(tf.float32, [None, 1])
        self.weights = make_weights()
        optimizer = tf.compat.v1.train.GradientDescentOptimizer(RATE)
        grads = tf.gradients(loss_of(self.weights, self.words, self.y), [*self.weights])
        unused = tf.Variable(1.0)
        pairs = [*zip(grads, self.weights, strict=True), (None, unused)]
        self.step = optimizer.apply_gradients(pairs)

    def train(self, session: tf.compat.v1.Session) -> list[np.ndarray]:
        for number, (words, y) in enumerate(batches()):
            if RANK == 0:
                session.run(self.weights)  # what one rank runs by itself waits for nobody
            session.run(self.step, {self.words: mine(words), self.y: mine(y)})
            compare(session.run(self.weights), number)
        return session.run(self.weights)


def in_session() -> list[np.ndarray]:
    graph = Graph()
    if HOW == "monitored":
        with tf.compat.v1.train.MonitoredTrainingSession() as session:
            return graph.train(session)
    with tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.global_variables_initializer())
        values = graph.train(session)
        if HOW == "session":
            return values
        with tf.compat.v1.Session() as second:  # another session of the same graph has values of its own
            second.run(tf.compat.v1.global_variables_initializer())
            np.testing.assert_array_equal(
                np.concatenate(graph.train(second), axis=None), np.concatenate(values, axis=None)
            )
    with (
        tf.Graph().as_default(),
        tf.compat.v1.Session() as other,
    ):  # and another graph, with variables of the same names
        BEFORE[:] = [tf.Variable(MINE[0]), tf.Variable(MINE[1])]
        again = Graph()
        other.run(tf.compat.v1.global_variables_initializer())
        np.testing.assert_array_equal(np.concatenate(again.train(other), axis=None), np.concatenate(values, axis=None))
    return values


if __name__ == "__main__":
    differs = checksum(MINE) != ddl.bcast(checksum(MINE))
    assert differs == (RANK > 0), "ranks were to start from different weights"
    values = in_session() if IN_SESSION else eagerly()
    error = max(np.abs(a - b).max() for a, b in zip(values, by_hand(), strict=True))
    moved = max(np.abs(a - b).max() for a, b in zip(values, initial(0), strict=True))
    print(f"rank {RANK}: {HOW}: weights moved by {moved:.3f}, differ from NumPy's by {error:.1e}", flush=True)
    assert error < 1e-5 < moved, "the weights are not those of one process"

"""Run under mpirun: every way of reducing, against the same sum by NumPy. Fails where one differs.

Rank r contributes values that all ranks can compute, so each rank knows what the result must be.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable

import ddl
import numpy as np
import tensorflow as tf

RANKS = range(ddl.size())
SHAPES = [(3,), (), (4, 5), (0, 2), (7, 1, 2), (100,)]


def value(rank: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """What a rank contributes: whole numbers small enough for any dtype to add without rounding."""
    whole = np.asarray(np.random.default_rng(rank).integers(-9, 9, shape))
    return (whole * (1 + 2j) if dtype.startswith("complex") else whole).astype(tf.as_dtype(dtype).as_numpy_dtype)


def total(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    wide = np.complex128 if dtype.startswith("complex") else np.float64
    return np.sum([value(rank, shape, dtype).astype(wide) for rank in RANKS], axis=0)


def dtypes(run: Callable) -> None:
    for dtype in ("float32", "float64", "float16", "bfloat16", "int32", "int64", "complex64"):
        for average in (False, True):
            if average and dtype.startswith("int"):
                continue
            mine = [tf.constant(value(ddl.rank(), shape, dtype)) for shape in SHAPES]
            reduced = run(lambda tensors, average=average: ddl.allreduce_n(tensors, average))(mine)
            for shape, tensor in zip(SHAPES, reduced, strict=True):
                assert tensor.dtype == dtype and tensor.shape == shape, (tensor.dtype, tensor.shape)
                expected = total(shape, dtype) / (ddl.size() if average else 1)
                rounding = 0.01 if tensor.dtype.size < tf.float32.size else 1e-6  # three ranks' average is not exact
                np.testing.assert_allclose(tensor.numpy().astype(expected.dtype), expected, rtol=rounding)
    try:
        ddl.allreduce_n([tf.constant([1, 2])])
    except ValueError as error:
        assert "average=False" in str(error), error
    else:
        raise AssertionError("an average of integers was not refused")


def pairs(run: Callable) -> None:
    """Several dtypes, a sparse one and None together, for group sizes from one element to all."""
    variables = [
        tf.Variable(np.zeros(shape, dtype)) for shape, dtype in zip(SHAPES, ["float32", "float64"] * 3, strict=True)
    ]
    sparse_variable, unused = tf.Variable(np.zeros((5, 2), np.float32)), tf.Variable(1.0)

    def step(tensors: list) -> list:
        *dense, rows = tensors
        # Each rank has row 1, twice, and a row of its own.
        sparse = tf.IndexedSlices(rows, tf.constant([1, 1, 2 + ddl.rank() % 3]), tf.constant([5, 2]))
        grads = [*zip(dense, variables, strict=True), (None, unused), (sparse, sparse_variable)]
        return [grad for grad, _ in ddl.grads_reduce([*grads[:3], grads[-1], *grads[3:-1]])]

    mine = [tf.constant(value(ddl.rank(), tuple(v.shape), v.dtype.name)) for v in variables]
    rows = tf.constant(value(ddl.rank(), (3, 2), "float32"))
    expected_sparse = np.zeros((5, 2))
    for rank in RANKS:
        np.add.at(expected_sparse, [1, 1, 2 + rank % 3], value(rank, (3, 2), "float32"))
    for group_size in (None, "1", "7", "21", "1000"):
        os.environ.pop("DDL_GROUP_SIZE", None)
        if group_size:
            os.environ["DDL_GROUP_SIZE"] = group_size
        reduced = run(step)([*mine, rows])
        sparse = reduced.pop(3)
        np.testing.assert_allclose(sparse, expected_sparse / ddl.size(), rtol=1e-6)
        assert reduced.pop() is None
        for tensor, variable in zip(reduced, variables, strict=True):
            expected = total(tuple(variable.shape), variable.dtype.name) / ddl.size()
            np.testing.assert_allclose(tensor, expected, rtol=1e-6)
    del os.environ["DDL_GROUP_SIZE"]


def order(run: Callable) -> None:
    """Many reductions of equal shape that share nothing: each must meet its own on the other ranks.

    Each is in a function of its own with a variable of its own, as where several models train in one step. On each
    rank another few have to wait for their input, so that TensorFlow has others ready to go first.
    """
    variables = [tf.Variable([0.0]) for _ in range(20)]

    def late(tensor: np.ndarray) -> np.ndarray:
        time.sleep(0.05)
        return tensor

    def reduce_one(index: int, tensor: tf.Tensor) -> tf.Tensor:
        if index % 10 == ddl.rank():
            tensor = tf.numpy_function(late, [tensor], tensor.dtype)
        return ddl.allreduce_n([tensor + variables[index]], average=False)[0]

    def step(tensors: list) -> list:
        return [run(functools.partial(reduce_one, index))(tensor) for index, tensor in enumerate(tensors)]

    results = run(step)([tf.constant([float(1000 * i + ddl.rank())]) for i in range(20)])
    np.testing.assert_array_equal(np.ravel(results), [1000 * i * ddl.size() + sum(RANKS) for i in range(20)])


def broadcasts(run: Callable) -> None:
    for dtype in ("float32", "bfloat16", "int64", "bool"):
        mine = tf.constant(value(ddl.rank() + 1, (4, 3), dtype))
        got = run(lambda tensors: [ddl.bcast(tensors[0])])([mine])[0]
        np.testing.assert_array_equal(got, value(1, (4, 3), dtype))
    assert ddl.bcast(tf.Variable(float(ddl.rank()))).numpy() == 0
    assert ddl.bcast({"from": ddl.rank()}) == {"from": 0}
    mean, nothing = ddl.allreduce_n([float(ddl.rank()), None])  # no tensor among them: NumPy
    assert mean == np.mean(RANKS) and nothing is None


if __name__ == "__main__":
    for how, run in (("eager", lambda step: step), ("tf.function", tf.function)):
        for check in (dtypes, pairs, order, broadcasts):
            check(run)
            print(f"rank {ddl.rank()}: {check.__name__}, {how}: right", flush=True)

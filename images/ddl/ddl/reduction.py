"""Reducing and broadcasting tensors, eagerly and inside tf.function."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ddl.arrays import check_average, reduce_arrays
from ddl.communicator import Communicator
from ddl.grouping import group_limit, split_groups


@functools.cache
def _turn() -> tf.Variable:
    """The variable that keeps MPI calls in the program's order.

    MPI matches the n-th call of one rank with the n-th call of the others, but TensorFlow may run two functions that
    share no variable in either order: two models' training steps, for instance, called by a third function. It does
    keep the order in which functions read and write one variable; so each MPI call reads this one and writes it.

    Made at the first call, not at import: it wakes up TensorFlow's devices, after which none can be chosen.
    """
    with tf.init_scope(), tf.device("/cpu:0"):
        return tf.Variable(0, dtype=tf.int64, trainable=False, name="ddl_turn")


def _in_turn(call: Callable[..., list[np.ndarray]], tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Run an MPI call on the tensors' arrays, after the calls that the program made before it.

    Args:
        call: takes one array per tensor, returns as many, of the same shapes and dtypes.
        tensors: dense tensors.
    """
    if tf.executing_eagerly():
        return [tf.convert_to_tensor(array) for array in call(*map(_array, tensors))]

    def numbered_call(turn: Any, *arrays: Any) -> list[np.ndarray]:
        return [np.asarray(turn + 1, np.int64), *call(*map(np.asarray, arrays))]

    types = [tf.int64, *(tensor.dtype for tensor in tensors)]
    turn, *results = tf.numpy_function(numbered_call, [_turn().read_value(), *tensors], types)
    _turn().assign(turn)
    for result, tensor in zip(results, tensors, strict=True):
        result.set_shape(tensor.shape)  # numpy_function forgets shapes
    return results


def _array(tensor: tf.Tensor) -> np.ndarray:
    """An eager tensor's values, without a copy where they lie in this process's memory."""
    return np.asarray(tensor.numpy(), tensor.dtype.as_numpy_dtype)  # numpy() gives no array, but a number, of a scalar


@tf.autograph.experimental.do_not_convert
def reduce_tensors(ranks: Communicator, tensors: Sequence[Any], average: bool) -> list[tf.Tensor | None]:
    """Sum or average tensors over all ranks, as one group. None stays None; sparse becomes dense.

    Raises:
        ValueError: an average of integers.
    """
    dense = [tf.convert_to_tensor(tensor) for tensor in tensors if tensor is not None]
    if average:
        for tensor in dense:
            check_average(np.dtype(tensor.dtype.as_numpy_dtype))
    if not dense:
        return list(tensors)
    reduced = iter(_in_turn(lambda *arrays: reduce_arrays(ranks, arrays, average), dense))
    return [None if tensor is None else next(reduced) for tensor in tensors]


def reduce_values(ranks: Communicator, values: Sequence[Any], average: bool) -> list[np.ndarray | None]:
    """`reduce_tensors` for NumPy arrays and numbers; returns arrays."""
    reduced = iter(reduce_arrays(ranks, [np.asarray(value) for value in values if value is not None], average))
    return [None if value is None else next(reduced) for value in values]


@tf.autograph.experimental.do_not_convert
def reduce_pairs(ranks: Communicator, pairs: Sequence[tuple[Any, Any]], average: bool) -> list[tuple[Any, Any]]:
    """Reduce the gradients of (gradient, variable) pairs in groups of ``DDL_GROUP_SIZE`` elements.

    Raises:
        ValueError: an average of integers, or an unreadable ``DDL_GROUP_SIZE``.
    """
    # A gradient's static shape may be unknown; its variable has the same one.
    sizes = [0 if grad is None else int(np.prod(variable.shape)) for grad, variable in pairs]
    grads = [grad for grad, _ in pairs]
    reduced = [
        grad
        for group in split_groups(sizes, group_limit(os.environ))
        for grad in reduce_tensors(ranks, grads[group], average)
    ]
    return [(grad, variable) for grad, (_, variable) in zip(reduced, pairs, strict=True)]


@tf.autograph.experimental.do_not_convert
def bcast_tensor(ranks: Communicator, tensor: Any) -> tf.Tensor:
    """Return rank 0's value of a tensor or variable that has the same shape and dtype on every rank."""
    return _in_turn(lambda array: [ranks.copy_from_rank_0(array)], [tf.convert_to_tensor(tensor)])[0]


def bcast_variables(ranks: Communicator, variables: Sequence[Any]) -> None:
    """Give variables rank 0's values, now: also when called while a tf.function is being traced.

    Raises:
        RuntimeError: TensorFlow 1.x's graph mode.
    """
    with tf.init_scope():
        if not tf.executing_eagerly():
            raise RuntimeError("ddl: TensorFlow's version 1 graphs and sessions are not supported")
        for variable in variables:
            variable.assign(ranks.copy_from_rank_0(_array(tf.convert_to_tensor(variable))))

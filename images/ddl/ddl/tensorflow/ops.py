"""The native ops, for tensors of every type that has numbers.

They are asynchronous: no thread of TensorFlow's waits while tensors travel. The engine finds a collective's partner by
its key (`ddl.tensorflow.names`), so where a key is one set of tensors' own, order does not matter. `in_turn` is for
those that have none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ddl import engine
from ddl.carriers import carrier, check_average
from ddl.environment import place

_BROADCAST_AS_THEY_ARE = frozenset(
    ("float16", "bfloat16", "float32", "float64", "int32", "int64", "bool", "uint8", "int8")
)


@functools.cache
def _library() -> Any:
    place = engine.folder()
    library = tf.load_op_library(str(place / "ddl_MDR.so") if place else "ddl_MDR.so")
    # Only Python can register gradients that tf.gradients and tf.GradientTape see.
    for op, gradient in (("AllReduce", _gradient), ("AllReduceN", _gradient_n), ("Bcast", _gradient_of_bcast)):
        tf.RegisterGradient(op)(gradient)
    return library


def _gradient(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    """A sum over ranks passes each rank's gradient to every rank: the gradient is reduced as the value was."""
    return _gradient_n(op, grad)[0]


def _gradient_n(op: tf.Operation, *grads: tf.Tensor) -> list[tf.Tensor]:
    reduction = op.get_attr("op").decode()
    if reduction not in ("sum", "avg"):
        raise LookupError(f"ddl: there is no gradient of a {reduction} over ranks")
    key = op.get_attr("key").decode()
    return list(_library().all_reduce_n(grads, op=reduction, key=f"gradient of {key}" if key else ""))


def _gradient_of_bcast(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    """All ranks have rank 0's value: all their gradients are its, and none is any other's."""
    key = op.get_attr("key").decode()
    total = _library().all_reduce(grad, op="sum", key=f"gradient of {key}" if key else "")
    return total if place().rank == 0 else tf.zeros_like(total)


def reduce(tensors: Sequence[tf.Tensor], average: bool, key: str) -> list[tf.Tensor]:
    """Sum or average dense tensors over all ranks, as one collective.

    Raises:
        ValueError: an average of integers, or a sum of what are no numbers.
    """
    if not tensors:
        return []
    if average:
        for tensor in tensors:
            check_average(tensor.dtype.name)
    carried = _library().all_reduce_n([_carried(t) for t in tensors], op="avg" if average else "sum", key=key)
    return [_brought(one, tensor) for one, tensor in zip(carried, tensors, strict=True)]


def _carried(tensor: tf.Tensor) -> tf.Tensor:
    if tensor.dtype.is_complex:
        return tf.stack([tf.math.real(tensor), tf.math.imag(tensor)])
    name = carrier(tensor.dtype.name)
    return tensor if name == tensor.dtype.name else tf.cast(tensor, name)


def _brought(carried: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    if tensor.dtype.is_complex:
        return tf.complex(carried[0], carried[1])
    return tf.cast(carried, tensor.dtype)  # itself, where it is of that type


def broadcast(tensor: tf.Tensor, key: str) -> tf.Tensor:
    """Rank 0's value of a tensor of any type but a string."""
    if tensor.dtype.is_complex:
        parts = _library().bcast(tf.stack([tf.math.real(tensor), tf.math.imag(tensor)]), key=key)
        return tf.complex(parts[0], parts[1])
    if tensor.dtype.name in _BROADCAST_AS_THEY_ARE:
        return _library().bcast(tensor, key=key)
    return tf.bitcast(_library().bcast(tf.bitcast(tensor, tf.uint8), key=key), tensor.dtype)


@functools.cache
def _turn() -> tf.Variable:
    """The variable that keeps collectives in the program's order.

    TensorFlow may run two functions that share no variable in either order: two models' training steps, for instance,
    called by a third function. It does keep the order in which functions read and write one variable.

    Made at the first call, not at import: it wakes up TensorFlow's devices, after which none can be chosen.
    """
    with tf.init_scope(), tf.device("/cpu:0"):
        return tf.Variable(0, dtype=tf.int64, trainable=False, name="ddl_turn")


def in_turn(collective: Callable[[], list[tf.Tensor]]) -> list[tf.Tensor]:
    """Make a collective run after those of its kind that the program made before it."""
    if tf.executing_eagerly() or not tf.inside_function():
        return collective()
    with tf.control_dependencies([_turn().read_value()]):
        results = collective()
    with tf.control_dependencies(results):
        _turn().assign_add(1)
    return results

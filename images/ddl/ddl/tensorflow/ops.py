"""The native ops, for tensors of every type that has numbers.

They are asynchronous: no thread of TensorFlow's waits while tensors travel. The engine finds a collective's partner by
its key (`ddl.tensorflow.names`), so where a key is one set of tensors' own, order does not matter. `in_turn` is for
those that have none.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ddl import engine, threads
from ddl.carriers import carrier, check_average
from ddl.environment import place
from ddl.tensorflow import names

# Two threads may come to these first.
_lock = threading.RLock()


def _library() -> Any:
    with _lock:
        return _loaded()


@functools.cache
def _loaded() -> Any:
    place = engine.folder()
    library = tf.load_op_library(str(place / "ddl_MDR.so") if place else "ddl_MDR.so")
    # Only Python can register gradients that tf.gradients and tf.GradientTape see.
    for op, gradient in (("AllReduce", _gradient), ("AllReduceN", _gradient_n), ("Bcast", _gradient_of_bcast)):
        tf.RegisterGradient(op)(gradient)
    return library


def _gradient(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    """A sum over ranks passes each rank's gradient to every rank: the gradient is reduced as the value was."""
    return _gradient_n(op, grad)[0]


def _gradient_n(op: tf.Operation, *grads: Any) -> list[tf.Tensor | None]:
    reduction = op.get_attr("op").decode()
    if reduction not in ("sum", "avg"):
        raise LookupError(f"ddl: there is no gradient of a {reduction} over ranks")
    # A whole number has none.
    dense = [tf.convert_to_tensor(grad) for grad in grads if grad is not None]
    key = _key_of_gradient(op)
    reduced = iter(in_turn(lambda: list(_library().all_reduce_n(dense, op=reduction, key=key)), op) if dense else ())
    return [None if grad is None else next(reduced) for grad in grads]


def _gradient_of_bcast(op: tf.Operation, grad: Any) -> tf.Tensor:
    """All ranks have the root's value: all their gradients are its, and none is any other's.

    Every rank must run the reduction, those too that have no use for it: their zeros wait for it. It stays what they
    depend on, so that the gradient of this gradient, the root's to all, is taken on every rank.
    """
    grad, key = tf.convert_to_tensor(grad), _key_of_gradient(op)
    (total,) = in_turn(lambda: reduce([grad], average=False, key=key), op)
    with tf.control_dependencies([total]):
        return tf.where(tf.constant(place().rank == op.get_attr("root")), total, tf.zeros_like(total))


def _key_of_gradient(op: tf.Operation) -> str:
    """What the gradient of a collective is called; empty, by its node, where that is."""
    key = op.get_attr("key").decode()
    if not key:
        return ""
    if tf.executing_eagerly():
        return threads.key_of_gradient(key)
    if order_is_kept():
        return threads.key_of_gradient_in_order(key)
    # There may be several of one value in a version 1 graph, and nothing orders them.
    return names.of_nth_in_graph(threads.key_of_gradient_in_order(key).partition("\n")[0])


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
    sent = [_carried(tensor) for tensor in tensors]
    cast = any(one.dtype != tensor.dtype for one, tensor in zip(sent, tensors, strict=True))
    of = [tensor.dtype for tensor in tensors] if cast else []
    carried = _library().all_reduce_n(sent, op="avg" if average else "sum", key=key, of=of)
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


def broadcast(tensor: tf.Tensor, key: str, root: int = 0) -> tf.Tensor:
    """The root's value of a tensor, bit for bit.

    Raises:
        ValueError: it is of strings, or of what else is not in the tensor itself.
    """
    if tensor.dtype in (tf.string, tf.resource, tf.variant):
        raise ValueError(f"ddl: cannot broadcast a tensor of {tensor.dtype.name}: broadcast its .numpy(), as an object")
    return _library().bcast(tensor, key=key, root=root)


def guard_step(handles: Sequence[tf.Tensor], key: int, interval: int) -> None:
    """Have the function that is being traced count a step when all of it is done to some variables.

    Args:
        handles: of the variables, in the order of devices on which the last one's is counted.
        key: what it is counted under; see `ddl.engine.Engine.count_guard_steps`.
        interval: after the first step and each so many of them ranks compare: see `ddl.engine.Engine.compare_by`.
    """
    on_devices: dict[str, list[tf.Tensor]] = {}
    for handle in handles:
        on_devices.setdefault(handle.device, []).append(handle)
    before: list[tf.Operation] = []
    for number, (device, those) in enumerate(on_devices.items(), 1):
        with tf.device(device), tf.control_dependencies(before):
            last = number == len(on_devices)  # an op may not have handles of several devices
            before.append(_library().guard_step(those, key=key, interval=min(interval, 2**31 - 1) if last else 0))


def order_is_kept() -> bool:
    """Whether collectives run in the program's order here: not in a version 1 graph, which has none."""
    return bool(tf.compat.v1.executing_eagerly_outside_functions())


def _turn() -> tf.Variable:
    with _lock:
        return _made_turn()


@functools.cache
def _made_turn() -> tf.Variable:
    """The variable that keeps collectives in the program's order.

    TensorFlow may run two functions that share no variable in either order: two models' training steps, for instance,
    called by a third function. It does keep the order in which functions read and write one variable.

    Made at the first call, not at import: it wakes up TensorFlow's devices, after which none can be chosen.
    """
    with tf.init_scope(), tf.device("/cpu:0"):
        return tf.Variable(0, dtype=tf.int64, trainable=False, name="ddl_turn")


def in_turn(collective: Callable[[], list[tf.Tensor]], op: tf.Operation | None = None) -> list[tf.Tensor]:
    """Make a collective run after those that the program made before it, and on every rank, whatever is made of it.

    Args:
        op: whose gradient the collective is, if it is one.
    """
    if tf.executing_eagerly() or not order_is_kept():
        return collective()
    turn = _turn_within(tf.compat.v1.get_default_graph() if op is None else op.outputs[0].graph)
    with tf.control_dependencies([tf.raw_ops.ReadVariableOp(resource=turn, dtype=tf.int64)]):
        results = collective()
    with tf.control_dependencies(results):
        tf.raw_ops.AssignAddVariableOp(resource=turn, value=tf.constant(1, tf.int64))
    return results


def _turn_within(graph: tf.Graph) -> tf.Tensor:
    """The handle of the variable, taken from each function into the one inside it.

    A gradient of `tf.cond` or `tf.while_loop` takes it from the function that it is the gradient of, and nothing from
    further outside.
    """
    if not hasattr(graph, "capture"):
        return _turn().handle
    return graph.capture(_turn_within(graph.outer_graph))

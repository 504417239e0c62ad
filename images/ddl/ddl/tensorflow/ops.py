"""The native ops, for tensors of every numeric type.

They are asynchronous: no TensorFlow thread waits while tensors are transferred. The engine matches collectives by key
(`ddl.tensorflow.names`), so if a key belongs to one set of tensors, their order does not matter. `in_program_order` is
for those without a key of their own.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ddl import engine, threads
from ddl.environment import place
from ddl.tensorflow import names
from ddl.wire_types import check_average, wire_type

# Two threads may be the first to call these.
_lock = threading.RLock()


def _library() -> Any:
    with _lock:
        return _loaded()


@functools.cache
def _loaded() -> Any:
    place = engine.library_directory()
    library = tf.load_op_library(str(place / "ddl_MDR.so") if place else "ddl_MDR.so")
    # Gradients that tf.gradients and tf.GradientTape see can only be registered from Python.
    for op, gradient in (("AllReduce", _gradient), ("AllReduceN", _gradient_n), ("Bcast", _gradient_of_bcast)):
        tf.RegisterGradient(op)(gradient)
    return library


def _gradient(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    """A sum over ranks passes each rank's gradient to every rank: the gradient is reduced in the same way as the
    value.
    """
    return _gradient_n(op, grad)[0]


def _gradient_n(op: tf.Operation, *grads: Any) -> list[tf.Tensor | None]:
    reduction = op.get_attr("op").decode()
    if reduction not in ("sum", "avg"):
        raise LookupError(f"ddl: there is no gradient of a {reduction} over ranks")
    # Integers have no gradient.
    dense = [tf.convert_to_tensor(grad) for grad in grads if grad is not None]
    key = _key_of_gradient(op)
    reduced = iter(
        in_program_order(lambda: list(_library().all_reduce_n(dense, op=reduction, key=key)), op) if dense else ()
    )
    return [None if grad is None else next(reduced) for grad in grads]


def _gradient_of_bcast(op: tf.Operation, grad: Any) -> tf.Tensor:
    """All ranks have the root's value: all their gradients belong to it, and none to any other rank's.

    Every rank must run the reduction, even if it does not use the result: the other ranks wait for its contribution.
    Its result depends on it, so that the gradient of this gradient, from the root to all, is computed on every rank.
    """
    grad, key = tf.convert_to_tensor(grad), _key_of_gradient(op)
    (total,) = in_program_order(lambda: reduce([grad], average=False, key=key), op)
    with tf.control_dependencies([total]):
        return tf.where(tf.constant(place().rank == op.get_attr("root")), total, tf.zeros_like(total))


def _key_of_gradient(op: tf.Operation) -> str:
    """The key of the gradient of a collective; empty (its node's name) if the collective's key is."""
    key = op.get_attr("key").decode()
    if not key:
        return ""
    if tf.executing_eagerly():
        return threads.key_of_gradient(key)
    if keeps_program_order():
        return threads.key_of_gradient_in_order(key)
    # A version 1 graph may have several gradients of one value, in no fixed order.
    return names.of_nth_in_graph(threads.key_of_gradient_in_order(key).partition("\n")[0])


def reduce(tensors: Sequence[tf.Tensor], average: bool, key: str) -> list[tf.Tensor]:
    """Sum or average dense tensors over all ranks, as one collective.

    Raises:
        ValueError: an average of integers, or a sum of values that are not numbers.
    """
    if not tensors:
        return []
    if average:
        for tensor in tensors:
            check_average(tensor.dtype.name)
    sent = [_to_wire(tensor) for tensor in tensors]
    cast = any(one.dtype != tensor.dtype for one, tensor in zip(sent, tensors, strict=True))
    original_types = [tensor.dtype for tensor in tensors] if cast else []
    wire = _library().all_reduce_n(sent, op="avg" if average else "sum", key=key, of=original_types)
    return [_from_wire(one, tensor) for one, tensor in zip(wire, tensors, strict=True)]


def _to_wire(tensor: tf.Tensor) -> tf.Tensor:
    if tensor.dtype.is_complex:
        return tf.stack([tf.math.real(tensor), tf.math.imag(tensor)])
    name = wire_type(tensor.dtype.name)
    return tensor if name == tensor.dtype.name else tf.cast(tensor, name)


def _from_wire(wire: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    if tensor.dtype.is_complex:
        return tf.complex(wire[0], wire[1])
    return tf.cast(wire, tensor.dtype)  # a no-op if it has that type


def broadcast(tensor: tf.Tensor, key: str, root: int = 0) -> tf.Tensor:
    """The root's value of a tensor, bit for bit.

    Raises:
        ValueError: a tensor of strings, or of another type whose values are not in the tensor itself.
    """
    if tensor.dtype in (tf.string, tf.resource, tf.variant):
        raise ValueError(f"ddl: cannot broadcast a tensor of {tensor.dtype.name}: broadcast its .numpy(), as an object")
    return _library().bcast(tensor, key=key, root=root)


def guard_step(handles: Sequence[tf.Tensor], key: int, interval: int) -> None:
    """Make the function that is being traced count a step after all of it has been applied to some variables.

    Args:
        handles: of the variables, in the order of their devices; the step is counted on the last one's device.
        key: the counter's key; see `ddl.engine.Engine.count_guard_steps`.
        interval: ranks compare after the first step and every `interval` steps: see `ddl.engine.Engine.set_comparison`.
    """
    on_devices: dict[str, list[tf.Tensor]] = {}
    for handle in handles:
        on_devices.setdefault(handle.device, []).append(handle)
    previous: list[tf.Operation] = []
    for number, (device, group) in enumerate(on_devices.items(), 1):
        with tf.device(device), tf.control_dependencies(previous):
            last = number == len(on_devices)  # an op may not have handles of several devices
            previous.append(_library().guard_step(group, key=key, interval=min(interval, 2**31 - 1) if last else 0))


def keeps_program_order() -> bool:
    """Whether collectives run in program order here: not in a version 1 graph, which has no order."""
    return bool(tf.compat.v1.executing_eagerly_outside_functions())


def _order_variable() -> tf.Variable:
    with _lock:
        return _make_order_variable()


@functools.cache
def _make_order_variable() -> tf.Variable:
    """The variable that keeps collectives in program order.

    TensorFlow may run two functions that share no variable in either order: two models' training steps, for example,
    called by a third function. It does keep the order in which functions read and write one variable.

    Created at the first call, not at import: it initialises TensorFlow's devices, after which none can be selected.
    """
    with tf.init_scope(), tf.device("/cpu:0"):
        return tf.Variable(0, dtype=tf.int64, trainable=False, name="ddl_turn")


def in_program_order(collective: Callable[[], list[tf.Tensor]], op: tf.Operation | None = None) -> list[tf.Tensor]:
    """Make a collective run after those that the program called before it, and on every rank, whether or not its result
    is used.

    Args:
        op: the op whose gradient the collective is, if it is one.
    """
    if tf.executing_eagerly() or not keeps_program_order():
        return collective()
    order = _order_handle(tf.compat.v1.get_default_graph() if op is None else op.outputs[0].graph)
    with tf.control_dependencies([tf.raw_ops.ReadVariableOp(resource=order, dtype=tf.int64)]):
        results = collective()
    with tf.control_dependencies(results):
        tf.raw_ops.AssignAddVariableOp(resource=order, value=tf.constant(1, tf.int64))
    return results


def _order_handle(graph: tf.Graph) -> tf.Tensor:
    """The handle of the variable, captured by each function from the enclosing one.

    A gradient of `tf.cond` or `tf.while_loop` captures it from the function that it is the gradient of, and nothing
    from further outside.
    """
    if not hasattr(graph, "capture"):
        return _order_variable().handle
    return graph.capture(_order_handle(graph.outer_graph))

"""Reduction of gradients and other tensors, including sparse ones and None."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ddl import threads
from ddl.engine import Engine
from ddl.grouping import group_limit, split_groups
from ddl.tensorflow import names, ops, sessions
from ddl.tensorflow.unaveraged import REDUCED, note_reduction
from ddl.tensorflow.variables import broadcast_initial_values


@tf.autograph.experimental.do_not_convert
def reduce_tensors(tensors: Sequence[Any], average: bool, name: str | None = None) -> list[tf.Tensor | None]:
    """Sum or average tensors over all ranks, as one collective. None stays None; sparse becomes dense.

    Args:
        name: see `ddl.threads`.
    Raises:
        ValueError: an average of integers.
    """
    note_reduction()
    dense = [tf.convert_to_tensor(tensor) for tensor in tensors if tensor is not None]
    reduced = iter(ops.in_program_order(lambda: ops.reduce(dense, average, _key("allreduce_n", name))))
    return [None if tensor is None else next(reduced) for tensor in tensors]


@tf.autograph.experimental.do_not_convert
def bcast_tensor(tensor: Any, root: int = 0, name: str | None = None) -> tf.Tensor:
    """The root's value of a tensor or variable that has the same shape and dtype on every rank."""
    return ops.in_program_order(lambda: [ops.broadcast(tf.convert_to_tensor(tensor), _key("bcast", name), root)])[0]


def _key(kind: str, name: str | None) -> str:
    """One name for all of a kind if their order is kept; a name for each in a version 1 graph, which has no order."""
    if tf.executing_eagerly():
        return threads.key(kind, name)
    if name is not None or ops.keeps_program_order():
        return threads.key_in_order(kind, name)
    return names.of_nth_in_graph(kind)


def _prepare(ranks: Engine, variables: Sequence[Any]) -> None:
    """Broadcast rank 0's values to variables before the first step, in case no tape did (`tf.gradients`)."""
    if tf.compat.v1.executing_eagerly_outside_functions():
        broadcast_initial_values(ranks, variables)
    else:
        sessions.register_variables(variables)


@tf.autograph.experimental.do_not_convert
def reduce_pairs(
    ranks: Engine, pairs: Sequence[tuple[Any, Any]], average: bool, name: str | None = None
) -> list[tuple[Any, Any]]:
    """Reduce the gradients of (gradient, variable) pairs in groups of ``DDL_GROUP_SIZE`` elements.

    A gradient that this has returned before, such as one from `DistributedGradientTape`, is not reduced again. The
    variables get rank 0's values, if they have not yet.

    Args:
        name: identifies this across ranks; None: the variables do.
    Raises:
        ValueError: an average of integers, or an invalid ``DDL_GROUP_SIZE``.
    """
    note_reduction()
    _prepare(ranks, [variable for _, variable in pairs])
    waiting = [index for index, (grad, _) in enumerate(pairs) if grad is not None and not hasattr(grad, REDUCED)]
    # A gradient's static shape may be unknown; its variable has the same one.
    sizes = [int(np.prod(pairs[index][1].shape)) for index in waiting]
    reduced: dict[int, tf.Tensor] = {}
    for number, group in enumerate(split_groups(sizes, group_limit(os.environ)), 1):
        members = waiting[group]
        dense = [tf.convert_to_tensor(pairs[index][0]) for index in members]
        if name is None:
            key = names.of_gradients([pairs[index][1] for index in members])
        else:
            key = f"grads_reduce {name}, group {number}"
        for index, tensor in zip(members, ops.reduce(dense, average, key), strict=True):
            setattr(tensor, REDUCED, True)
            reduced[index] = tensor
    sessions.note_reductions(reduced.values())
    return [(reduced.get(index, grad), variable) for index, (grad, variable) in enumerate(pairs)]

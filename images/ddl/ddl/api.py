"""The three functions that exchange values between ranks.

With one rank they return what they are given, so a program runs unchanged without mpirun, and without MPI installed;
`ddl.reduction`, which needs both MPI and TensorFlow, is imported only where there are several.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from ddl.session import communicator


def bcast(x: Any) -> Any:
    """Return rank 0's value of ``x``. Collective.

    Args:
        x: a tensor or variable, of the same shape and dtype on every rank; or any object that pickle takes.
    Returns:
        A tensor for a tensor or variable; else rank 0's object. With one rank, ``x`` itself.
    Raises:
        RuntimeError: several ranks, and not initialised.
    """
    ranks = communicator()
    if ranks is None:
        return x
    if not _is_tensor(x):
        return ranks.object_from_rank_0(x)
    from ddl import reduction

    return reduction.bcast_tensor(ranks, x)


def allreduce_n(grads: Sequence[Any], average: bool = True) -> list[Any]:
    """Reduce all values over all ranks, in one go. Collective.

    Args:
        grads: tensors, sparse `tf.IndexedSlices`, NumPy arrays or numbers, of the same shapes and dtypes on every
            rank; None, on every rank alike, stays None.
        average: the average over the ranks; else the sum.
    Returns:
        A list of the same length, all tensors (dense) where one of ``grads`` was a tensor, else NumPy arrays. With one
        rank, the values themselves.
    Raises:
        ValueError: an average of integers.
        RuntimeError: several ranks, and not initialised.
    """
    ranks = communicator()
    if ranks is None:
        return list(grads)
    from ddl import reduction

    reduce = reduction.reduce_tensors if any(map(_is_tensor, grads)) else reduction.reduce_values
    return reduce(ranks, list(grads), average)


def grads_reduce(grads_and_vars: Iterable[tuple[Any, Any]], average: bool = True) -> list[tuple[Any, Any]]:
    """Reduce (gradient, variable) pairs over all ranks, in groups of ``DDL_GROUP_SIZE`` elements. Collective.

    Args:
        grads_and_vars: pairs as `optimizer.apply_gradients` takes them. The gradients as in `allreduce_n`.
        average: as in `allreduce_n`.
    Returns:
        The pairs in the same order, with reduced gradients.
    Raises:
        ValueError: an average of integers, or an unreadable ``DDL_GROUP_SIZE``.
        RuntimeError: several ranks, and not initialised.
    """
    ranks = communicator()
    pairs = list(grads_and_vars)
    if ranks is None:
        return pairs
    from ddl import reduction

    return reduction.reduce_pairs(ranks, pairs, average)


def _is_tensor(x: Any) -> bool:
    """Whether x is TensorFlow's or Keras's: where neither is loaded, nothing is."""
    tf, keras = sys.modules.get("tensorflow"), sys.modules.get("keras")
    if tf is not None and (tf.is_tensor(x) or isinstance(x, tf.IndexedSlices)):
        return True
    return isinstance(x, getattr(keras, "Variable", ()))  # Keras 3's; Keras 2 has TensorFlow's

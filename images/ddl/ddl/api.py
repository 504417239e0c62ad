"""The functions that exchange values between ranks.

With one rank they return what they are given, so a program runs unchanged without mpirun, and without MPI installed.
Values are TensorFlow's, PyTorch's or NumPy's; where a framework is not loaded, nothing is of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from ddl.environment import place
from ddl.session import engine


def bcast(x: Any) -> Any:
    """Return rank 0's value of ``x``. Collective.

    Args:
        x: a tensor or variable, of the same shape and dtype on every rank; or any object that pickle takes.
    Returns:
        A tensor for a tensor or variable; else rank 0's object. With one rank, ``x`` itself.
    Raises:
        RuntimeError: several ranks, and not initialised.
    """
    ranks = engine()
    if ranks is None:
        return x
    if _is_tensorflows(x):
        from ddl.tensorflow import reduction

        return reduction.bcast_tensor(x)
    if _is_torchs(x):
        from ddl.torch import reduction as torch_reduction

        return torch_reduction.bcast_tensor(ranks, x)
    from ddl.arrays import object_from_rank_0

    return object_from_rank_0(ranks, "bcast of an object", x, place().rank)


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
    ranks, grads = engine(), list(grads)
    if ranks is None:
        return grads
    if any(map(_is_tensorflows, grads)):
        from ddl.tensorflow import reduction

        return reduction.reduce_tensors(grads, average)
    if any(map(_is_torchs, grads)):
        from ddl.torch import reduction as torch_reduction

        return torch_reduction.reduce_tensors(ranks, grads, average)
    return _reduce_values(ranks, grads, average)


def _reduce_values(ranks: Any, values: list[Any], average: bool) -> list[Any]:
    import numpy as np

    from ddl.arrays import reduce_arrays

    arrays = [np.asarray(value) for value in values if value is not None]
    reduced = iter(reduce_arrays(ranks, "allreduce_n of arrays", arrays, average))
    return [None if value is None else next(reduced) for value in values]


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
    ranks, pairs = engine(), list(grads_and_vars)
    if ranks is None:
        return pairs
    if any(_is_torchs(grad) for grad, _ in pairs):
        reduced = allreduce_n([grad for grad, _ in pairs], average)
        return [(grad, variable) for grad, (_, variable) in zip(reduced, pairs, strict=True)]
    from ddl.tensorflow import reduction

    return reduction.reduce_pairs(ranks, pairs, average)


def guard_exclude(*what: Any) -> None:
    """Keep variables that are meant to differ between ranks out of the divergence guard; the same ones on every rank.

    Call it before they are trained. ``DDL_GUARD_EXCLUDE`` does the same without a change to the program.

    Args:
        what: variables of TensorFlow or Keras, PyTorch's parameters, or patterns of names as `fnmatch` has them, such
            as ``"expert_*/kernel"``.
    Raises:
        TypeError: something else.
    """
    from ddl.guard import names

    for one in what:
        if isinstance(one, str):
            names.exclude(one)
        elif _is_tensorflows(one):
            from ddl.tensorflow import guard

            guard.exclude(one)
        elif _is_torchs(one):
            from ddl.torch import guard as torch_guard

            torch_guard.exclude(one)
        else:
            raise TypeError(f"ddl: guard_exclude takes variables, or patterns of their names, not {one!r}")


def _is_tensorflows(x: Any) -> bool:
    """Whether x is TensorFlow's or Keras's: where neither is loaded, nothing is."""
    tf, keras = sys.modules.get("tensorflow"), sys.modules.get("keras")
    if tf is not None and (tf.is_tensor(x) or isinstance(x, tf.IndexedSlices)):
        return True
    return isinstance(x, getattr(keras, "Variable", ()))  # Keras 3's; Keras 2 has TensorFlow's


def _is_torchs(x: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)

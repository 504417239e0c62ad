"""The functions that exchange values between ranks.

With one rank they return what they are given, so a program runs unchanged without mpirun, and without MPI installed.
Values are TensorFlow's, PyTorch's or NumPy's; where a framework is not loaded, nothing is of it.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from ddl.environment import place
from ddl.session import engine
from ddl.threads import check_name, key


def bcast(x: Any, root: int = 0, name: str | None = None) -> Any:
    """Return the value of ``x`` that rank ``root`` has, bit for bit. Collective.

    Differentiable where ``x`` is a tensor: the root's gets the sum of all ranks' gradients, the others' zero.

    Args:
        x: a tensor, variable or NumPy array, of the same shape and dtype on every rank; or any object that pickle
            takes. Where the root has an array, another rank may have None.
        root: the same on every rank.
        name: what the ranks know this collective by. Needed where several threads call `bcast`: what has no name is
            told apart by its order alone. The same name may be used again, by one thread at a time.
    Returns:
        A tensor for a tensor or variable; else the root's array or object. With one rank, ``x`` itself.
    Raises:
        ValueError: ``root`` is no rank, or ``name`` is empty or has a line feed.
        RuntimeError: several ranks, and not initialised; or ranks differ about this collective, which is TensorFlow's
            InvalidArgumentError for its tensors.
    """
    ranks = engine()
    root = _checked_root(root)
    check_name(name)
    if ranks is None:
        return x
    if _is_tensorflows(x):
        from ddl.tensorflow import reduction

        return reduction.bcast_tensor(x, root, name)
    if _is_torchs(x):
        from ddl.torch import reduction as torch_reduction

        return torch_reduction.bcast_tensor(ranks, x, root, name)
    from ddl.arrays import broadcast_object

    return broadcast_object(ranks, key("bcast", name), x, place().rank, root)


def _checked_root(root: int) -> int:
    size = place().size
    if not 0 <= operator.index(root) < size:
        raise ValueError(f"ddl: root {root} is no rank: there {'is' if size == 1 else 'are'} {size}, from 0 on")
    return operator.index(root)


def allreduce_n(grads: Sequence[Any], average: bool = True, name: str | None = None) -> list[Any]:
    """Reduce all values over all ranks, in one go. Collective.

    Differentiable where they are tensors: the gradient is reduced as the value was.

    Args:
        grads: tensors, sparse `tf.IndexedSlices`, NumPy arrays or numbers, of the same shapes and dtypes on every
            rank; None, on every rank alike, stays None.
        average: the average over the ranks; else the sum.
        name: as in `bcast`.
    Returns:
        A list of the same length, all tensors (dense) where one of ``grads`` was a tensor, else NumPy arrays. With one
        rank, the values themselves.
    Raises:
        ValueError: an average of integers; or ``name`` is empty or has a line feed.
        RuntimeError: several ranks, and not initialised; or ranks differ about this collective, which is TensorFlow's
            InvalidArgumentError for its tensors.
    """
    ranks, grads = engine(), list(grads)
    check_name(name)
    if ranks is None:
        return grads
    if any(map(_is_tensorflows, grads)):
        from ddl.tensorflow import reduction

        return reduction.reduce_tensors(grads, average, name)
    if any(map(_is_torchs, grads)):
        from ddl.torch import reduction as torch_reduction

        return torch_reduction.reduce_tensors(ranks, grads, average, name)
    return _reduce_values(ranks, grads, average, name)


def _reduce_values(ranks: Any, values: list[Any], average: bool, name: str | None) -> list[Any]:
    import numpy as np

    from ddl.arrays import reduce_arrays

    arrays = [np.asarray(value) for value in values if value is not None]
    reduced = iter(reduce_arrays(ranks, key("allreduce_n", name), arrays, average))
    return [None if value is None else next(reduced) for value in values]


def grads_reduce(
    grads_and_vars: Iterable[tuple[Any, Any]], average: bool = True, name: str | None = None
) -> list[tuple[Any, Any]]:
    """Reduce (gradient, variable) pairs over all ranks, in groups of ``DDL_GROUP_SIZE`` elements. Collective.

    Args:
        grads_and_vars: pairs as `optimizer.apply_gradients` takes them. The gradients as in `allreduce_n`.
        average: as in `allreduce_n`.
        name: as in `bcast`; TensorFlow's gradients without one are known by their variables.
    Returns:
        The pairs in the same order, with reduced gradients.
    Raises:
        ValueError: an average of integers, or an unreadable ``DDL_GROUP_SIZE``; or as in `bcast`.
        RuntimeError: several ranks, and not initialised; or ranks differ about this collective, which is TensorFlow's
            InvalidArgumentError for its tensors.
    """
    ranks, pairs = engine(), list(grads_and_vars)
    check_name(name)
    if ranks is None:
        return pairs
    if any(_is_torchs(grad) for grad, _ in pairs):
        reduced = allreduce_n([grad for grad, _ in pairs], average, name)
        return [(grad, variable) for grad, (_, variable) in zip(reduced, pairs, strict=True)]
    from ddl.tensorflow import reduction

    return reduction.reduce_pairs(ranks, pairs, average, name)


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

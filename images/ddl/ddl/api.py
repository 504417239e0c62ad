"""Functions that exchange values between ranks.

With one rank they return their arguments, so a program runs unchanged without mpirun, and without MPI installed. Values
are TensorFlow's, PyTorch's or NumPy's; no framework is loaded for them.
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
    """Return the value of ``x`` on rank ``root``, bit for bit. Collective.

    Differentiable if ``x`` is a tensor: the root gets the sum of all ranks' gradients, the other ranks zero.

    Args:
        x: a tensor, variable or NumPy array, of the same shape and dtype on every rank; or any object that can be
            pickled. If the root has an array, other ranks may pass None.
        root: the same on every rank.
        name: identifies this collective across ranks. Needed if several threads call `bcast`: collectives without a
            name are matched by their order alone. A name may be used again, by one thread at a time.
    Returns:
        A tensor for a tensor or variable; otherwise the root's array or object. With one rank, ``x`` itself.
    Raises:
        ValueError: ``root`` is not a rank, or ``name`` is empty or contains a line feed.
        RuntimeError: there are several ranks and ddl is not initialised; or ranks differ about this collective (for
            TensorFlow tensors, InvalidArgumentError).
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
        ranks = "is 1 rank" if size == 1 else f"are {size} ranks"
        raise ValueError(f"ddl: root {root} does not exist: there {ranks}, numbered from 0")
    return operator.index(root)


def allreduce_n(grads: Sequence[Any], average: bool = True, name: str | None = None) -> list[Any]:
    """Reduce all values over all ranks, fused. Collective.

    Differentiable for tensors: the gradient is reduced in the same way as the value.

    Args:
        grads: tensors, sparse `tf.IndexedSlices`, NumPy arrays or numbers, of the same shapes and dtypes on every rank;
            None, which must be None on every rank, stays None.
        average: average over the ranks; otherwise sum.
        name: as in `bcast`.
    Returns:
        A list of the same length: dense tensors if any of ``grads`` was a tensor, otherwise NumPy arrays. With one
        rank, the values themselves.
    Raises:
        ValueError: an average of integers; or ``name`` is empty or contains a line feed.
        RuntimeError: there are several ranks and ddl is not initialised; or ranks differ about this collective (for
            TensorFlow tensors, InvalidArgumentError).
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
        grads_and_vars: pairs as taken by `optimizer.apply_gradients`. The gradients as in `allreduce_n`.
        average: as in `allreduce_n`.
        name: as in `bcast`; TensorFlow gradients without a name are identified by their variables.
    Returns:
        The pairs in the same order, with reduced gradients.
    Raises:
        ValueError: an average of integers, or an invalid ``DDL_GROUP_SIZE``; or as in `bcast`.
        RuntimeError: there are several ranks and ddl is not initialised; or ranks differ about this collective (for
            TensorFlow tensors, InvalidArgumentError).
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
    """Exclude variables that are meant to differ between ranks from the divergence guard; the same ones on every rank.

    Call it before they are trained. ``DDL_GUARD_EXCLUDE`` does the same without a change to the program.

    Args:
        what: variables of TensorFlow or Keras, PyTorch parameters, or `fnmatch` patterns of names, such as
            ``"expert_*/kernel"``.
    Raises:
        TypeError: anything else.
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
    """Whether x belongs to TensorFlow or Keras; False if neither is loaded."""
    tf, keras = sys.modules.get("tensorflow"), sys.modules.get("keras")
    if tf is not None and (tf.is_tensor(x) or isinstance(x, tf.IndexedSlices)):
        return True
    return isinstance(x, getattr(keras, "Variable", ()))  # Keras 3's; Keras 2 uses TensorFlow's


def _is_torchs(x: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)

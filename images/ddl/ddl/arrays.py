"""Reducing many arrays as few messages: one flat buffer per dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Summer(Protocol):
    """What this module needs of a `Communicator`; a test gives it another one."""

    size: int

    def sum_in_place(self, flat: np.ndarray) -> None: ...


def check_average(dtype: np.dtype) -> None:
    """Raise ValueError where an average would not be of the dtype that went in."""
    if dtype.kind in "biu":
        raise ValueError(f"ddl: cannot average {dtype}: cast it to a float, or sum it with average=False")


def wire_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype in which an array travels: float32 for the 8- and 16-bit floats, which MPI cannot add."""
    float32 = np.dtype(np.float32)
    is_float = dtype.kind in "fV"  # NumPy says V (void) of bfloat16 and float8
    return float32 if is_float and dtype.itemsize < float32.itemsize else dtype


def reduce_arrays(ranks: Summer, arrays: Sequence[np.ndarray], average: bool) -> list[np.ndarray]:
    """Sum or average arrays over all ranks; each rank has the same shapes and dtypes in the same order.

    Returns:
        New arrays of the same shapes and dtypes.
    Raises:
        ValueError: an average of integers is asked for.
    """
    reduced: dict[int, np.ndarray] = {}
    for dtype in dict.fromkeys(array.dtype for array in arrays):
        if average:
            check_average(dtype)
        alike = {index: array for index, array in enumerate(arrays) if array.dtype == dtype}
        reduced |= zip(alike, _reduce_alike(ranks, list(alike.values()), average), strict=True)
    return [reduced[index] for index in range(len(arrays))]


def _reduce_alike(ranks: Summer, arrays: list[np.ndarray], average: bool) -> list[np.ndarray]:
    """`reduce_arrays` for arrays of one dtype."""
    dtype = arrays[0].dtype
    # A fresh buffer each time. TensorFlow may take the arrays we return as they are, without a copy, so a buffer that
    # is used again would change gradients that an optimizer is still reading.
    flat = np.empty(sum(array.size for array in arrays), wire_dtype(dtype))
    ends = np.cumsum([array.size for array in arrays])[:-1]
    pieces = np.split(flat, ends)  # views
    for piece, array in zip(pieces, arrays, strict=True):
        piece[:] = array.reshape(-1)
    ranks.sum_in_place(flat)
    if average:
        flat /= ranks.size
    return [piece.reshape(a.shape).astype(dtype, copy=False) for piece, a in zip(pieces, arrays, strict=True)]

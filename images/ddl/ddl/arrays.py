"""Collectives on NumPy arrays and on Python objects."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from ddl.carriers import carrier, check_average
from ddl.engine import BROADCAST, Engine, Piece


def reduce_arrays(engine: Engine, name: str, arrays: Sequence[np.ndarray], average: bool) -> list[np.ndarray]:
    """Sum or average arrays over all ranks, as one collective.

    Args:
        arrays: of the same shapes and dtypes in the same order on every rank.
    Returns:
        New arrays of the same shapes and dtypes.
    Raises:
        ValueError: an average of integers is asked for, or a sum of what are no numbers.
        EngineError: see `ddl.engine`.
    """
    if average:
        for array in arrays:
            check_average(array.dtype.name)
    travelling = [_carried(array) for array in arrays]
    pieces = [Piece(one.ctypes.data, one.shape, one.dtype.name, one) for one in travelling]
    if pieces:
        engine.start(name, pieces, reduction="avg" if average else "sum").wait()
    return [_brought(one, array) for one, array in zip(travelling, arrays, strict=True)]


def _carried(array: np.ndarray) -> np.ndarray:
    """A copy, of a dtype that the engine adds; a complex number is two reals."""
    if array.dtype.kind == "c":
        return np.array(array, order="C").reshape(-1).view(array.real.dtype)
    name = carrier(array.dtype.name)
    return np.array(array, dtype=array.dtype if array.dtype.name == name else name, order="C")


def _brought(carried: np.ndarray, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "c":
        return carried.view(array.dtype).reshape(array.shape)
    return carried.astype(array.dtype, copy=False)


def array_from_rank_0(engine: Engine, name: str, array: np.ndarray) -> np.ndarray:
    """Rank 0's array; all ranks' arrays have the same shape and dtype, which may be any."""
    value = np.array(array, order="C")
    piece = Piece(value.ctypes.data, (value.nbytes,), "bytes", value)
    engine.start(name, [piece], kind=BROADCAST).wait()
    return value


def object_from_rank_0(engine: Engine, name: str, value: Any, rank: int) -> Any:
    """Rank 0's object, which must be one that pickle takes."""
    data = np.frombuffer(pickle.dumps(value) if rank == 0 else b"", np.uint8)
    length = int(array_from_rank_0(engine, f"{name}: length", np.array([data.size], np.int64))[0])
    data = data if rank == 0 else np.empty(length, np.uint8)
    return pickle.loads(array_from_rank_0(engine, name, data).tobytes())  # noqa: S301 (from rank 0 of this very job)

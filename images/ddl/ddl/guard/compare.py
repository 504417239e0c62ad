"""Whether ranks hold the same values, and by how much they differ.

Digests are compared by the minimum and maximum over all ranks: if these are equal, all are. Only if they are not, the
values themselves are sent, one variable at a time.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ddl.engine import Buffer, Engine

_ROUNDINGS = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float8_e4m3fn": 2.0**-3, "float8_e5m2": 2.0**-2}
"""The value of the last bit of a number, for types in which it matters relative to a tolerance."""
_MAX_ROUNDINGS = 16
"""Rounding errors that add up during training; in float32 they stay far below any tolerance."""
_EXCLUDED_VALUE = 2**63 - 1


@dataclass(frozen=True)
class Extremes:
    """Minimum and maximum of each number over all ranks."""

    least: tuple[int, ...]
    greatest: tuple[int, ...]

    @property
    def differing(self) -> list[int]:
        """Indices of the numbers that are not the same on all ranks."""
        pairs = zip(self.least, self.greatest, strict=True)
        return [place for place, (least, greatest) in enumerate(pairs) if least < greatest]


def signed(digest: int) -> int:
    """A digest as the signed number that the engine takes."""
    return digest - 2**64 if digest >> 63 else digest


def extremes(
    engine: Engine, name: str, numbers: Sequence[int], excluded: bool = False, seconds: float = math.inf
) -> Extremes:
    """The extremes of each number over all ranks; one small collective.

    Args:
        numbers: 64-bit integers, the same count on every rank.
        excluded: this rank takes part, but its numbers do not count. (If all ranks are excluded, nothing differs.)
        seconds: timeout for the other ranks.
    Raises:
        EngineError: see `ddl.engine`; or timed out.
    """
    both = [_EXCLUDED_VALUE] * (2 * len(numbers)) if excluded else [*numbers, *(~number for number in numbers)]
    array = (ctypes.c_int64 * len(both))(*both)
    _reduce(engine, name, array, "min", seconds)
    least, inverted = array[: len(numbers)], array[len(numbers) :]
    return Extremes(tuple(least), tuple(~number for number in inverted))


def gather(engine: Engine, name: str, rank: int, size: int, number: int) -> list[int]:
    """Each rank's number, in rank order."""
    array = (ctypes.c_int64 * size)()
    array[rank] = number
    _reduce(engine, name, array, "sum")
    return list(array)


def _reduce(
    engine: Engine, name: str, array: ctypes.Array[ctypes.c_int64], reduction: str, seconds: float = math.inf
) -> None:
    buffer = Buffer(ctypes.addressof(array), (len(array),), "int64", array)
    handle = engine.start(name, [buffer], reduction=reduction)
    if seconds < math.inf:
        handle.wait_with_timeout(seconds)
    handle.wait()


def largest_difference(engine: Engine, name: str, values: np.ndarray, excluded: bool = False) -> float:
    """By how much ranks differ about one variable; see `relative_difference`. The same on every rank.

    Args:
        values: floating-point or complex numbers, of the same shape and type on every rank.
        excluded: as in `extremes`.
    Raises:
        EngineError: see `ddl.engine`.
    """
    flat = np.ravel(values)
    flat = flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat
    finite = np.isfinite(flat)
    found = []
    for reduction, neutral, no_mask in (("min", np.inf, 1), ("max", -np.inf, 0)):
        numbers = np.where(finite, flat, 0).astype(flat.dtype)
        mask = finite.astype(np.int32)
        if excluded:
            numbers[:], mask[:] = neutral, no_mask
        buffers = [Buffer(one.ctypes.data, one.shape, one.dtype.name, one) for one in (numbers, mask)]
        engine.start(f"{name} {reduction}", buffers, reduction=reduction).wait()
        found.append((numbers, mask.astype(bool)))
    (least, finite_everywhere), (greatest, finite_somewhere) = found
    if (finite_everywhere != finite_somewhere).any():
        return float("inf")
    return relative_difference(least[finite_everywhere], greatest[finite_everywhere])


def relative_difference(least: np.ndarray, greatest: np.ndarray) -> float:
    """The largest difference between two ranks' values of an element, relative to the element.

    An element that is nearly 0 among larger ones would differ by much without any error. So no element counts as
    smaller than the variable's root mean square.

    Args:
        least, greatest: the extremes of each element over all ranks, finite, of the same shape.
    Returns:
        0 if all are equal; never more than 2.
    """
    least, greatest = np.asarray(least, np.float64), np.asarray(greatest, np.float64)
    size = np.maximum(np.abs(least), np.abs(greatest))
    scale = size.max(initial=0.0)
    if scale == 0:
        return 0.0
    size = size / scale
    typical = np.sqrt(np.mean(np.square(size)))
    return float(((greatest / scale - least / scale) / np.maximum(size, typical)).max())


def tolerance_for(tolerance: float, dtype: str) -> float:
    """The tolerance for variables of a type; a few last bits are always tolerated."""
    return max(tolerance, _MAX_ROUNDINGS * _ROUNDINGS.get(dtype, 0.0))

"""Whether ranks hold the same values, and by how much they differ.

Digests travel as the least and the greatest of all ranks': where these are one, all are the same. Only where they are
not do the values themselves travel, a variable at a time.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ddl.engine import Engine, Piece

_ROUNDINGS = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float8_e4m3fn": 2.0**-3, "float8_e5m2": 2.0**-2}
"""What the last bit of a number is worth, where that is a good part of a tolerance."""
_SOME_ROUNDINGS = 16
"""They add up while a model is trained; in float32 that stays far below any tolerance."""
_LEFT_OUT = 2**63 - 1


@dataclass(frozen=True)
class Extremes:
    """The least and the greatest of all ranks' numbers, by their place in the list."""

    least: tuple[int, ...]
    greatest: tuple[int, ...]

    @property
    def differing(self) -> list[int]:
        """Where the ranks do not all have the same."""
        pairs = zip(self.least, self.greatest, strict=True)
        return [place for place, (least, greatest) in enumerate(pairs) if least < greatest]


def signed(digest: int) -> int:
    """A digest as the signed number that the engine takes."""
    return digest - 2**64 if digest >> 63 else digest


def extremes(
    engine: Engine, name: str, numbers: Sequence[int], left_out: bool = False, seconds: float = math.inf
) -> Extremes:
    """The extremes of each number over all ranks; one small collective.

    Args:
        numbers: 64-bit integers, as many on every rank.
        left_out: this rank takes part, but its numbers do not count. (Where no rank's do, nothing differs.)
        seconds: for how long to wait for the other ranks.
    Raises:
        EngineError: see `ddl.engine`; or they have not come.
    """
    both = [_LEFT_OUT] * (2 * len(numbers)) if left_out else [*numbers, *(~number for number in numbers)]
    array = (ctypes.c_int64 * len(both))(*both)
    _reduce(engine, name, array, "min", seconds)
    least, inverted = array[: len(numbers)], array[len(numbers) :]
    return Extremes(tuple(least), tuple(~number for number in inverted))


def of_every_rank(engine: Engine, name: str, rank: int, size: int, number: int) -> list[int]:
    """Each rank's number, in the ranks' order."""
    array = (ctypes.c_int64 * size)()
    array[rank] = number
    _reduce(engine, name, array, "sum")
    return list(array)


def _reduce(
    engine: Engine, name: str, array: ctypes.Array[ctypes.c_int64], reduction: str, seconds: float = math.inf
) -> None:
    piece = Piece(ctypes.addressof(array), (len(array),), "int64", array)
    started = engine.start(name, [piece], reduction=reduction)
    if seconds < math.inf:
        started.wait_at_most(seconds)
    started.wait()


def largest_difference(engine: Engine, name: str, values: np.ndarray, left_out: bool = False) -> float:
    """By how much ranks differ about one variable; see `relative_difference`. The same on every rank.

    Args:
        values: floating-point or complex numbers, of the same shape and type on every rank.
        left_out: as in `extremes`.
    Raises:
        EngineError: see `ddl.engine`.
    """
    flat = np.ravel(values)
    flat = flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat
    finite = np.isfinite(flat)
    found = []
    for reduction, nothing, no_mask in (("min", np.inf, 1), ("max", -np.inf, 0)):
        numbers = np.where(finite, flat, 0).astype(flat.dtype)
        mask = finite.astype(np.int32)
        if left_out:
            numbers[:], mask[:] = nothing, no_mask
        pieces = [Piece(one.ctypes.data, one.shape, one.dtype.name, one) for one in (numbers, mask)]
        engine.start(f"{name} {reduction}", pieces, reduction=reduction).wait()
        found.append((numbers, mask.astype(bool)))
    (least, finite_everywhere), (greatest, finite_somewhere) = found
    if (finite_everywhere != finite_somewhere).any():
        return float("inf")
    return relative_difference(least[finite_everywhere], greatest[finite_everywhere])


def relative_difference(least: np.ndarray, greatest: np.ndarray) -> float:
    """The largest difference between two ranks' values of an element, relative to the element.

    An element that is nearly 0 among larger ones would differ by much where nothing is wrong. So no element counts as
    smaller than the variable's root mean square.

    Args:
        least, greatest: the extremes of each element over all ranks, finite, of the same shape.
    Returns:
        0 where all are the same; never more than 2.
    """
    least, greatest = np.asarray(least, np.float64), np.asarray(greatest, np.float64)
    size = np.maximum(np.abs(least), np.abs(greatest))
    scale = size.max(initial=0.0)
    if scale == 0:
        return 0.0
    size = size / scale
    typical = np.sqrt(np.mean(np.square(size)))
    return float(((greatest / scale - least / scale) / np.maximum(size, typical)).max())


def allowed(tolerance: float, dtype: str) -> float:
    """The tolerance for variables of a type; some last bits are always allowed."""
    return max(tolerance, _SOME_ROUNDINGS * _ROUNDINGS.get(dtype, 0.0))

"""Each rank's shard of the data: of equal size on every rank, so that all take the same number of steps."""

from __future__ import annotations

import sys
from typing import Any

from ddl.environment import place, scaling_state


def shard(data: Any) -> Any:
    """This rank's shard of the data, of the same length as every other rank's.

    The remainder, fewer examples than ranks, is not used.

    Args:
        data: an array, list or other sequence of examples, along its first axis; a tuple or dict of such, all of the
            same length; or a `tf.data.Dataset` of examples, not of batches: shard it, then shuffle, then batch. If a
            dataset does not know its length, its source is read twice, to see where the last full round ends; shard it
            before any costly `map`.
    Returns:
        Every ``size()``-th example starting with number ``rank()``, in the form of the input.
    Raises:
        ValueError: there are fewer examples than ranks, or arrays of different lengths.
    """
    scaling_state.size = True
    here = place()
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and isinstance(data, tensorflow.data.Dataset):
        return _shard_of_dataset(tensorflow, data, here.rank, here.size)
    return shard_of(data, here.rank, here.size)


def shard_of(data: Any, rank: int, size: int) -> Any:
    """`shard` for sequences, tuples and dicts of them, for any rank and number of ranks. Pure."""
    lengths = sorted(_lengths(data))
    if len(lengths) != 1:
        raise ValueError(f"ddl: the arrays of one data set must have the same length, but have {lengths} examples")
    each = lengths[0] // size
    if each == 0:
        raise ValueError(f"ddl: {lengths[0]} examples are too few for {size} ranks")
    return _picked(data, slice(rank, each * size, size))


def _lengths(data: Any) -> set[int]:
    if isinstance(data, dict | tuple):
        return {length for part in (data.values() if isinstance(data, dict) else data) for length in _lengths(part)}
    return {len(data)}


def _picked(data: Any, mine: slice) -> Any:
    if isinstance(data, dict):
        return {name: _picked(part, mine) for name, part in data.items()}
    if isinstance(data, tuple):
        parts = [_picked(part, mine) for part in data]
        return type(data)(*parts) if hasattr(data, "_fields") else tuple(parts)
    return data[mine]


def _shard_of_dataset(tf: Any, data: Any, rank: int, size: int) -> Any:
    """A dataset's own `shard` gives the first ranks one more if the number of examples is not a multiple of the
    ranks.
    """
    if size == 1:
        return data
    length = int(data.cardinality())
    if length == tf.data.INFINITE_CARDINALITY:
        return data.shard(size, rank)
    if length != tf.data.UNKNOWN_CARDINALITY:
        if length < size:
            raise ValueError(f"ddl: {length} examples are too few for {size} ranks")
        return data.take(length // size * size).shard(size, rank)
    # The last rank's shard is the shortest: all stop where it stops.
    return tf.data.Dataset.zip((data.shard(size, rank), data.shard(size, size - 1))).map(lambda mine, _: mine)

"""Collectives on NumPy arrays and Python objects."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from ddl.engine import BROADCAST, Buffer, Engine, EngineError
from ddl.wire_types import NATIVE_TYPES, check_average, wire_type

_OBJECT, _ARRAY, _FAILED = range(3)
_HEAD = struct.Struct("<qb")  # size of the object in bytes, and its kind
_FIRST = 512  # bytes, with the header: most objects are smaller and need no second message


def reduce_arrays(engine: Engine, name: str, arrays: Sequence[np.ndarray], average: bool) -> list[np.ndarray]:
    """Sum or average arrays over all ranks, as one collective.

    Args:
        arrays: of the same shapes and dtypes in the same order on every rank.
    Returns:
        New arrays of the same shapes and dtypes.
    Raises:
        ValueError: an average of integers, or a sum of values that are not numbers.
        EngineError: see `ddl.engine`.
    """
    if average:
        for array in arrays:
            check_average(array.dtype.name)
    wire_tensors = [_to_wire(array) for array in arrays]
    buffers = [_buffer(one, array) for one, array in zip(wire_tensors, arrays, strict=True)]
    if buffers:
        engine.start(name, buffers, reduction="avg" if average else "sum").wait()
    return [_from_wire(one, array) for one, array in zip(wire_tensors, arrays, strict=True)]


def _to_wire(array: np.ndarray) -> np.ndarray:
    """A copy in a dtype that the engine can add; a complex number becomes two reals."""
    native = array.dtype.newbyteorder("=")
    if array.dtype.kind == "c":
        wire_type(array.real.dtype.name)
        return np.array(array, dtype=native, order="C").reshape(-1).view(native.type(0).real.dtype)
    name = wire_type(array.dtype.name)
    return np.array(array, dtype=native if array.dtype.name == name else name, order="C")


def _buffer(wire: np.ndarray, array: np.ndarray) -> Buffer:
    name = array.dtype.name
    itself = wire.dtype.name == name
    per_element = array.dtype.itemsize if array.dtype.kind == "c" else 0
    return Buffer(
        wire.ctypes.data, array.shape, wire.dtype.name, wire, "" if itself else name, element_bytes=per_element
    )


def _from_wire(wire: np.ndarray, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "c":
        wire = wire.view(array.dtype.newbyteorder("=")).reshape(array.shape)
    return wire.astype(array.dtype, copy=False)


def broadcast_arrays(engine: Engine, name: str, arrays: Sequence[np.ndarray], root: int = 0) -> list[np.ndarray]:
    """The root's arrays, bit for bit, as one collective.

    Args:
        arrays: of the same shapes and dtypes on every rank; of any dtype without Python objects.
    Raises:
        ValueError: an array contains Python objects.
        EngineError: see `ddl.engine`.
    """
    for array in arrays:
        if array.dtype.hasobject:
            raise ValueError(
                f"ddl: cannot broadcast an array of {array.dtype}: it contains Python objects; "
                "use a dtype of numbers or of strings of fixed length"
            )
    values = [np.array(array, order="C") for array in arrays]
    engine.start(name, [_broadcast_buffer(value) for value in values], kind=BROADCAST, root=root).wait()
    return values


def broadcast_array(engine: Engine, name: str, array: np.ndarray, root: int = 0) -> np.ndarray:
    """The root's array: see `broadcast_arrays`."""
    return broadcast_arrays(engine, name, [array], root)[0]


def _broadcast_buffer(value: np.ndarray) -> Buffer:
    dtype = value.dtype
    if dtype.name in NATIVE_TYPES and dtype.isnative:
        return Buffer(value.ctypes.data, value.shape, dtype.name, value)
    element = dtype.name if dtype.isnative and dtype.kind in "biufcMm" else str(dtype)
    shape = value.shape if dtype.itemsize else (0,)  # a string of length 0 has no bytes to send
    return Buffer(value.ctypes.data, shape, "bytes", value, element, dtype.itemsize)


def broadcast_object(engine: Engine, name: str, value: Any, rank: int, root: int = 0) -> Any:
    """The root's object, which must be picklable.

    If the root has a NumPy array and another rank passes an array of another shape or dtype, all ranks get an error.

    Raises:
        EngineError: see `ddl.engine`; or the root's object cannot be pickled.
    """
    error: Exception | None = None
    what, data = _OBJECT, b""
    if rank == root:
        try:
            what, data = _pickled(value)
        except Exception as caught:  # pickle propagates whatever the object's methods raise
            error, what, data = caught, _FAILED, f"{type(caught).__name__}: {caught}".encode()
    first = np.zeros(_FIRST, np.uint8)
    message = _HEAD.pack(len(data), what) + data
    first[: len(message)] = np.frombuffer(message[:_FIRST], np.uint8)
    first = _bytes_from(engine, name, first, root)
    length, what = _HEAD.unpack(first[: _HEAD.size].tobytes())
    rest = max(0, length + _HEAD.size - _FIRST)
    data = first[_HEAD.size : _HEAD.size + length].tobytes()
    if rest:
        more = np.frombuffer(message[_FIRST:], np.uint8) if rank == root else np.empty(rest, np.uint8)
        data += _bytes_from(engine, name, more, root).tobytes()
    if error is not None:
        raise error
    if what == _FAILED:
        raise EngineError(f"ddl: rank {root} could not send its object: {data.decode(errors='replace')}")
    made = pickle.loads(data)  # noqa: S301 (from a rank of this same job)
    if what == _OBJECT:
        return made
    dtype, shape = made
    return broadcast_array(engine, name, value if _is_plain_array(value) else np.empty(shape, dtype), root)


def _pickled(value: Any) -> tuple[int, bytes]:
    if _is_plain_array(value):
        return _ARRAY, pickle.dumps((value.dtype, value.shape))
    return _OBJECT, pickle.dumps(value)


def _is_plain_array(value: Any) -> bool:
    """Whether it can be sent as a plain array; subclasses, such as masked arrays, have additional state."""
    return type(value) is np.ndarray and not value.dtype.hasobject


def _bytes_from(engine: Engine, name: str, data: np.ndarray, root: int) -> np.ndarray:
    value = np.array(data)
    buffer = Buffer(value.ctypes.data, value.shape, "bytes", value, "object", 1)
    engine.start(name, [buffer], kind=BROADCAST, root=root).wait()
    return value

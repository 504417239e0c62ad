"""Tensors as values, and from JSON: shape, types and bounds are checked here. Pure.

Dtypes are called as in TensorFlow's protocol buffers, `DT_FLOAT`; messages have the names of TensorFlow Serving's.
"""

import base64
import binascii
import json
import math
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from .refused import UNIMPLEMENTED, Refused, shown

MOST_VALUES = 1 << 22
"""Values of a request in all its tensors: as Python objects, some hundred MB."""
MOST_DIMENSIONS = 32

Tensor = NamedTuple("Tensor", [("dtype", str), ("shape", List[int]), ("values", List[Any])])
"""`values` in C order; those of strings are bytes."""

Info = NamedTuple("Info", [("tensor", str), ("dtype", str), ("shape", Optional[List[int]])])
"""A tensor of a graph by its name. Open sizes are -1; no shape: of any rank."""

Signature = NamedTuple("Signature", [("method", str), ("inputs", Dict[str, Info]), ("outputs", Dict[str, Info])])
"""`method` is one of TensorFlow Serving's, such as `tensorflow/serving/predict`."""

_Read = Callable[[Any], Any]
_FLOATS = {
    "DT_HALF": ("half", 11, 65504.0),
    "DT_BFLOAT16": ("bfloat16", 8, 3.3895313892515355e38),
    "DT_FLOAT": ("float", 24, 3.4028234663852886e38),
    "DT_DOUBLE": ("double", 53, 1.7976931348623157e308),
}
"""Name in messages, bits of the mantissa, largest value."""
_BITS = {"DT_INT8": 8, "DT_INT16": 16, "DT_INT32": 32, "DT_INT64": 64}
_UNSIGNED_BITS = {"DT_UINT8": 8, "DT_UINT16": 16, "DT_UINT32": 32, "DT_UINT64": 64}
_KINDS = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number", type(None): "Null"}


def tensor_of(value: Any, dtype: str, room: int = MOST_VALUES) -> Tensor:
    """A JSON value, a scalar or lists in lists, as a tensor of at most `room` values. Raises `Refused`."""
    shape = shape_of(value)
    values = []  # type: List[Any]
    _fill(value, 0, shape, _reader(dtype), values, room)
    return Tensor(dtype, shape, values)


def shape_of(value: Any) -> List[int]:
    """The shape that the first of its values suggests."""
    shape = []  # type: List[int]
    while isinstance(value, list):
        shape.append(len(value))
        if len(shape) > MOST_DIMENSIONS:
            raise Refused("lists are nested deeper than %d" % MOST_DIMENSIONS)
        value = value[0] if value else None
    return shape


def fits(shape: List[int], wanted: Optional[List[int]]) -> bool:
    """Whether a tensor of `shape` can be one of the `wanted` shape."""
    if wanted is None:
        return True
    return len(shape) == len(wanted) and all(size in (-1, have) for have, size in zip(shape, wanted))


def text_of(value: Any) -> str:
    """A JSON value for a message."""
    return shown(json.dumps(value))


def bytes_of(value: Any) -> bytes:
    """What a string or `{"b64": ...}` stands for. Raises `Refused`."""
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise Refused("JSON Parse error: The surrogate pair in string is invalid.") from None
    if not is_base64(value):
        raise Refused("JSON Value: %s not formatted correctly for base64 data" % text_of(value))
    text = value["b64"]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("Unable to base64 decode") from None


def is_base64(value: Any) -> bool:
    """Whether it is `{"b64": "..."}`."""
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def is_whole(value: Any) -> bool:
    """Whether it is a whole number; true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def refuse_lossy(value: Any, dtype: str) -> None:
    """Raise `Refused` if a number is none of the floating type `dtype`."""
    name, bits, largest = _FLOATS[dtype]
    too_large = value >= 1 << bits or value <= -(1 << bits) if is_whole(value) else largest < abs(value) < math.inf
    if too_large:
        raise Refused("Cannot convert JSON value: %s to %s without loss of precision." % (text_of(value), name))


def _fill(value: Any, level: int, shape: List[int], read: _Read, values: List[Any], room: int) -> None:
    rank = len(shape)
    if not isinstance(value, list):
        if level != rank:
            what = "JSON Value: %s found at incorrect level: %d in the JSON DOM. Expected at level: %d"
            raise Refused(what % (text_of(value), level + 1, rank))
        if len(values) >= room:
            raise Refused("a request has at most %d values in its tensors" % MOST_VALUES)
        values.append(read(value))
        return
    if level >= rank:
        raise Refused("Encountered list at unexpected level: %d expected < %d" % (level, rank))
    if len(value) != shape[level]:
        what = "Encountered list at unexpected size: %d at level: %d expected size: %d"
        raise Refused(what % (len(value), level, shape[level]))
    for one in value:
        _fill(one, level + 1, shape, read, values, room)


def _reader(dtype: str) -> _Read:
    """What turns a JSON value into one of `dtype`, or raises `Refused`."""
    if dtype in _FLOATS:
        return lambda value: _float(value, dtype)
    if dtype in _BITS:
        largest = (1 << (_BITS[dtype] - 1)) - 1
        return lambda value: _whole(value, dtype, -largest - 1, largest)
    if dtype in _UNSIGNED_BITS:
        return lambda value: _whole(value, dtype, 0, (1 << _UNSIGNED_BITS[dtype]) - 1)
    if dtype == "DT_BOOL":
        return _bool
    if dtype == "DT_STRING":
        return _string
    return lambda value: _unknown(value, dtype)


def _float(value: Any, dtype: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _type_error(value, dtype)
    refuse_lossy(value, dtype)
    return float(value)


def _whole(value: Any, dtype: str, smallest: int, largest: int) -> int:
    if not is_whole(value) or not smallest <= value <= largest:
        raise _type_error(value, dtype)
    return int(value)


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _type_error(value, "DT_BOOL")
    return value


def _string(value: Any) -> bytes:
    if not isinstance(value, (str, dict)):
        raise _type_error(value, "DT_STRING")
    return bytes_of(value)


def _unknown(value: Any, dtype: str) -> None:
    raise Refused("Conversion of JSON Value: %s to type: %s" % (text_of(value), name_of(dtype)), UNIMPLEMENTED)


def name_of(dtype: str) -> str:
    """What messages call a dtype: `float`, `int64`."""
    return _FLOATS[dtype][0] if dtype in _FLOATS else dtype[len("DT_") :].lower()


def _type_error(value: Any, dtype: str) -> Refused:
    kind = str(value) if isinstance(value, bool) else _KINDS.get(dict if isinstance(value, dict) else type(value), "")
    return Refused("JSON Value: %s Type: %s is not of expected type: %s" % (text_of(value), kind, name_of(dtype)))

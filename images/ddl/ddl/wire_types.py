"""Which dtypes can be reduced, and in which dtype they are sent. By name, which NumPy, TensorFlow and PyTorch share."""

from __future__ import annotations

NATIVE_TYPES = frozenset(("float16", "bfloat16", "float32", "float64", "int32", "int64"))

# Integers wrap around in these as in their own type.
_WIRE_TYPES = {
    **dict.fromkeys(("int8", "int16", "uint8", "uint16"), "int32"),
    **dict.fromkeys(("uint32", "uint64"), "int64"),
}


def check_average(dtype: str) -> None:
    """Raise ValueError if an average would not have the dtype of its inputs."""
    if dtype.startswith(("int", "uint", "bool")):
        raise ValueError(f"ddl: cannot average {dtype}: cast it to a float, or sum it with average=False")


def wire_type(dtype: str) -> str:
    """The dtype in which real numbers are sent: their own, or one that can represent them and that the engine can add.

    Raises:
        ValueError: not a numeric dtype.
    """
    if dtype in NATIVE_TYPES:
        return dtype
    if dtype.startswith("float8"):
        return "float32"
    if dtype not in _WIRE_TYPES:
        raise ValueError(f"ddl: cannot add {dtype} over ranks: cast it to a number")
    return _WIRE_TYPES[dtype]

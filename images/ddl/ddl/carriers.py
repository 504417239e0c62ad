"""Which numbers can be reduced, and as what they travel. By name, as NumPy, TensorFlow and PyTorch call them alike."""

from __future__ import annotations

REDUCED_AS_THEY_ARE = frozenset(("float16", "bfloat16", "float32", "float64", "int32", "int64"))

# Integers wrap in these as they would have in their own type.
_CARRIERS = {
    **dict.fromkeys(("int8", "int16", "uint8", "uint16"), "int32"),
    **dict.fromkeys(("uint32", "uint64"), "int64"),
}


def check_average(dtype: str) -> None:
    """Raise ValueError where an average would not be of the dtype that went in."""
    if dtype.startswith(("int", "uint", "bool")):
        raise ValueError(f"ddl: cannot average {dtype}: cast it to a float, or sum it with average=False")


def carrier(dtype: str) -> str:
    """The dtype in which real numbers travel: their own, or one that holds them and that the engine can add.

    Raises:
        ValueError: they are no numbers.
    """
    if dtype in REDUCED_AS_THEY_ARE:
        return dtype
    if dtype.startswith("float8"):
        return "float32"
    if dtype not in _CARRIERS:
        raise ValueError(f"ddl: cannot add {dtype} over ranks: cast it to a number")
    return _CARRIERS[dtype]

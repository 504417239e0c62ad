"""Reducing arrays, with ranks that are only played: what NumPy alone can show. tests/real has real ones."""

from typing import Any

import numpy as np
import pytest
from ddl.arrays import broadcast_array, broadcast_object, reduce_arrays
from hypothesis import given
from hypothesis import strategies as st
from twin_engine import TwinEngine

SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)
DTYPES = st.sampled_from(["float16", "float32", "float64", "complex64", "int8", "uint16", "int64"])


def make(shapes_and_dtypes: list[tuple[tuple[int, ...], str]]) -> list[np.ndarray]:
    return [
        ((np.arange(np.prod(shape, dtype=int)) + 10 * index) % 60).reshape(shape).astype(dtype)
        for index, (shape, dtype) in enumerate(shapes_and_dtypes)
    ]


@given(st.lists(st.tuples(SHAPES, DTYPES), min_size=1, max_size=8))
def test_each_array_comes_back_in_its_place_and_what_went_in_is_not_changed(shapes_and_dtypes: list) -> None:
    arrays, engine = make(shapes_and_dtypes), TwinEngine()
    before = [array.copy() for array in arrays]
    reduced = reduce_arrays(engine, "all", arrays, average=False)
    for array, kept, result in zip(arrays, before, reduced, strict=True):
        assert (result.shape, result.dtype) == (array.shape, array.dtype)
        np.testing.assert_array_equal(result, 2 * array)
        np.testing.assert_array_equal(array, kept)
    assert [name for name, _ in engine.messages] == ["all"]


def test_what_the_engine_adds_travels_as_it_is_and_the_rest_as_what_holds_it() -> None:
    engine = TwinEngine()
    arrays = [((2,), "float16"), ((3,), "uint8"), ((), "uint32"), ((2, 2), "complex64"), ((5,), "float64")]
    reduce_arrays(engine, "mixed", make(arrays), average=False)
    pieces = [("float16", 2), ("int32", 3), ("int64", 1), ("float32", 8), ("float64", 5)]
    assert engine.messages == [("mixed", pieces)]


def test_small_integers_wrap_as_they_would_have() -> None:
    (total,) = reduce_arrays(TwinEngine(), "bytes", [np.array([200], np.uint8)], average=False)
    assert total == np.array([144], np.uint8)


def test_integers_are_summed_as_they_are() -> None:
    (total,) = reduce_arrays(TwinEngine(), "long", [np.array([2**61 + 1])], average=False)
    assert total[0] == 2**62 + 2  # a float64 on the way would have lost the 2


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_no_average_of_integers(dtype: str) -> None:
    engine = TwinEngine()
    with pytest.raises(ValueError, match=f"cannot average {dtype}"):
        reduce_arrays(engine, "whole", [np.ones(2, dtype)], average=True)
    assert engine.messages == []


@pytest.mark.parametrize("array", [np.array([True]), np.array(["a"]), np.array([object()])])
def test_no_sum_of_what_are_no_numbers(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot add"):
        reduce_arrays(TwinEngine(), "others", [array], average=False)


def test_nothing_is_reduced_without_a_word_to_the_engine() -> None:
    engine = TwinEngine()
    assert reduce_arrays(engine, "none", [], average=True) == []
    assert engine.messages == []


def test_what_an_element_stands_for_is_reported_where_it_travels_as_something_else() -> None:
    engine = TwinEngine()
    reduce_arrays(engine, "mixed", make([((2,), "float16"), ((3,), "uint8"), ((2, 2), "complex64")]), average=False)
    assert engine.elements == ["", "uint8", "complex64"]


@pytest.mark.parametrize("dtype", [">f4", ">i8", ">c16", "<f8"])
def test_the_order_of_bytes_is_kept(dtype: str) -> None:
    array = np.array([1, 2, -3]).astype(dtype)
    (total,) = reduce_arrays(TwinEngine(), "turned", [array], average=False)
    assert total.dtype == dtype
    np.testing.assert_array_equal(total, 2 * array)


@pytest.mark.parametrize(
    ("dtype", "piece", "element"),
    [
        ("float32", ("float32", 2), ""),
        ("bool", ("bytes", 2), "bool"),
        ("complex128", ("bytes", 32), "complex128"),
        (">i4", ("bytes", 8), ">i4"),
        ("M8[ns]", ("bytes", 16), "datetime64[ns]"),
        ("U3", ("bytes", 24), "<U3"),
        ([("a", "i4"), ("b", "f8")], ("bytes", 24), "[('a', '<i4'), ('b', '<f8')]"),
    ],
)
def test_a_broadcast_tells_shape_and_dtype_whatever_the_dtype(dtype: Any, piece: tuple[str, int], element: str) -> None:
    engine = TwinEngine()
    array = np.zeros((1, 2), dtype).T
    copy = broadcast_array(engine, "any", array)
    assert (copy.dtype, copy.shape) == (array.dtype, array.shape)
    assert not np.shares_memory(copy, array)
    assert (engine.messages, engine.elements) == ([("any", [piece])], [element])


@pytest.mark.parametrize("dtype", ["O", [("a", "i4"), ("b", "O")]])
def test_no_broadcast_of_pointers_to_objects(dtype: Any) -> None:
    with pytest.raises(ValueError, match="it contains Python objects"):
        broadcast_array(TwinEngine(), "pointers", np.zeros(2, dtype))


def test_a_string_of_no_characters_has_nothing_to_send() -> None:
    assert broadcast_array(TwinEngine(), "empty", np.zeros(3, "U0")).shape == (3,)


@given(st.dictionaries(st.text(), st.integers() | st.none() | st.binary(max_size=2000), max_size=4))
def test_an_object_comes_as_it_was(value: dict) -> None:
    assert broadcast_object(TwinEngine(), "object", value, rank=0) == value


def test_a_small_object_is_one_message() -> None:
    engine = TwinEngine()
    broadcast_object(engine, "object", {"rank": 0}, rank=0)
    assert len(engine.messages) == 1


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.array(["a", None], object), np.ma.array([1], mask=[1])]
)
def test_an_array_comes_as_it_was(array: np.ndarray) -> None:
    result = broadcast_object(TwinEngine(), "array", array, rank=0)
    assert type(result) is type(array)
    assert result.tolist() == array.tolist()


def test_an_object_that_cannot_be_sent_raises_what_pickle_says() -> None:
    with pytest.raises(AttributeError, match="lambda"):
        broadcast_object(TwinEngine(), "function", lambda: 0, rank=0)

"""Reducing arrays, with ranks that are only played: what NumPy alone can show. tests/real has real ones."""

import numpy as np
import pytest
from ddl.arrays import array_from_rank_0, object_from_rank_0, reduce_arrays
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


def test_a_broadcast_is_of_bytes_whatever_the_dtype() -> None:
    engine = TwinEngine()
    array = np.array([[1, 2], [3, 4]], ">i4").T
    copy = array_from_rank_0(engine, "any", array)
    np.testing.assert_array_equal(copy, array)
    assert not np.shares_memory(copy, array)
    assert engine.messages == [("any", [("bytes", 16)])]


@given(st.dictionaries(st.text(), st.integers() | st.none(), max_size=4))
def test_an_object_comes_as_it_was(value: dict) -> None:
    assert object_from_rank_0(TwinEngine(), "object", value, rank=0) == value

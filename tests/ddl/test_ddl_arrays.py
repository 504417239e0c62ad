"""Reducing arrays, with ranks that are only played: what NumPy alone can show. tests/real has real ones."""

import numpy as np
import pytest
from ddl.arrays import reduce_arrays, wire_dtype
from hypothesis import given
from hypothesis import strategies as st

SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)
DTYPES = st.sampled_from(["float16", "float32", "float64", "complex64"])


class TwinRanks:
    """Two ranks with the same arrays: the sum is the double. Notes what it is given."""

    size = 2

    def __init__(self) -> None:
        self.messages: list[tuple[str, int]] = []

    def sum_in_place(self, flat: np.ndarray) -> None:
        self.messages.append((flat.dtype.name, flat.size))
        flat *= 2


def make(shapes_and_dtypes: list[tuple[tuple[int, ...], str]]) -> list[np.ndarray]:
    return [
        (np.arange(np.prod(shape, dtype=int)) + 100 * index).reshape(shape).astype(dtype)
        for index, (shape, dtype) in enumerate(shapes_and_dtypes)
    ]


@given(st.lists(st.tuples(SHAPES, DTYPES), max_size=8), st.booleans())
def test_each_array_comes_back_in_its_place(shapes_and_dtypes: list, average: bool) -> None:
    arrays, ranks = make(shapes_and_dtypes), TwinRanks()
    before = [array.copy() for array in arrays]
    reduced = reduce_arrays(ranks, arrays, average)
    for array, kept, result in zip(arrays, before, reduced, strict=True):
        assert (result.shape, result.dtype) == (array.shape, array.dtype)
        np.testing.assert_array_equal(result, array if average else 2 * array)
        np.testing.assert_array_equal(array, kept)  # what came in is not changed
    assert len(ranks.messages) == len({array.dtype for array in arrays})


def test_one_message_per_dtype_half_floats_as_single() -> None:
    ranks = TwinRanks()
    reduce_arrays(ranks, make([((3,), "float32"), ((2, 2), "float64"), ((), "float32"), ((5,), "float16")]), True)
    assert ranks.messages == [("float32", 4), ("float64", 4), ("float32", 5)]


def test_half_floats_do_not_overflow_on_the_way_to_their_average() -> None:
    (average,) = reduce_arrays(TwinRanks(), [np.array([60000.0], np.float16)], average=True)
    assert average == np.float16(60000)  # the sum, 120000, is more than float16 holds


def test_results_share_no_memory_with_those_of_the_next_call() -> None:
    arrays, ranks = [np.ones(4, np.float32)], TwinRanks()
    (first,) = reduce_arrays(ranks, arrays, average=False)
    reduce_arrays(ranks, [np.full(4, 9, np.float32)], average=False)
    np.testing.assert_array_equal(first, [2, 2, 2, 2])


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_no_average_of_integers_but_a_sum(dtype: str) -> None:
    ranks, arrays = TwinRanks(), [np.ones(2, dtype)]
    with pytest.raises(ValueError, match=f"cannot average {dtype}"):
        reduce_arrays(ranks, arrays, average=True)
    assert ranks.messages == []


def test_integers_are_summed_as_they_are() -> None:
    (total,) = reduce_arrays(TwinRanks(), [np.array([2**62 // 2 + 1])], average=False)
    assert total[0] == 2**62 + 2  # a float64 on the way would have lost the 2


@pytest.mark.parametrize(
    ("dtype", "wire"), [("float16", "float32"), ("float32", "float32"), ("float64", "float64"), ("int8", "int8")]
)
def test_wire_dtype(dtype: str, wire: str) -> None:
    assert wire_dtype(np.dtype(dtype)) == wire

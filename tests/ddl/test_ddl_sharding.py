"""Dealing out examples: each at most once, and as many to each rank."""

from typing import NamedTuple

import numpy as np
import pytest
from ddl.sharding import shard_of
from hypothesis import given
from hypothesis import strategies as st

SIZES = st.integers(1, 9)


@given(st.integers(0, 60), SIZES)
def test_all_ranks_get_as_much_and_no_example_twice(extra: int, size: int) -> None:
    examples = list(range(size + extra))
    shards = [shard_of(examples, rank, size) for rank in range(size)]
    assert {len(shard) for shard in shards} == {len(examples) // size}
    dealt = sorted(example for shard in shards for example in shard)
    assert dealt == examples[: len(examples) // size * size]


def test_arrays_that_belong_together_stay_together() -> None:
    class Digits(NamedTuple):
        images: np.ndarray
        labels: np.ndarray

    images, labels = np.arange(14).reshape(7, 2), np.arange(7)
    shard = shard_of(Digits(images, labels), rank=1, size=3)
    assert isinstance(shard, Digits)
    np.testing.assert_array_equal(shard.images[:, 0] // 2, shard.labels)
    assert shard.labels.tolist() == [1, 4]
    assert shard_of((images, {"y": labels}), 0, 3)[1]["y"].tolist() == [0, 3]


def test_arrays_of_several_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the same length, but have \[6, 7\] examples"):
        shard_of((np.zeros(7), np.zeros(6)), 0, 2)


def test_fewer_examples_than_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match="2 examples are too few for 3 ranks"):
        shard_of([1, 2], 0, 3)

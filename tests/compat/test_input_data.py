"""The MNIST tutorial's `input_data` for today's TensorFlow: files in, batches out."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tf1_compat.backports.examples.tutorials.mnist.input_data import DataSet, read_data_sets

IMAGES = np.arange(12 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(12, 28, 28)
LABELS = np.arange(12, dtype=np.uint8) % 10


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine images to train on, packed, and three to test, not packed."""
    for name, array in (("train-images-idx3", IMAGES[:9]), ("train-labels-idx1", LABELS[:9])):
        (tmp_path / f"{name}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    for name, array in (("t10k-images-idx3", IMAGES[9:]), ("t10k-labels-idx1", LABELS[9:])):
        (tmp_path / f"{name}-ubyte").write_bytes(idx(array))
    return tmp_path


def test_the_first_of_the_training_images_validate_and_the_rest_train(folder: Path) -> None:
    found = read_data_sets(str(folder), validation_size=4)
    assert [len(part.images) for part in found] == [5, 4, 3]
    flat = IMAGES.reshape(12, 784).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(found.validation.images, flat[:4])
    np.testing.assert_array_equal(found.train.images, flat[4:9])
    np.testing.assert_array_equal(found.test.images, flat[9:])
    np.testing.assert_array_equal(found.train.labels, LABELS[4:9])
    assert found.train.images.dtype == np.float32


def test_images_may_stay_as_they_are_and_labels_become_rows(folder: Path) -> None:
    found = read_data_sets(str(folder), one_hot=True, dtype=np.uint8, reshape=False, validation_size=0)
    np.testing.assert_array_equal(found.train.images, IMAGES[:9, :, :, np.newaxis])
    np.testing.assert_array_equal(found.train.labels, np.eye(10)[LABELS[:9]])


def test_more_to_validate_than_there_is_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="validation_size is 5000, but there are 9 images"):
        read_data_sets(str(folder))


def test_a_file_that_is_not_there_is_named_and_not_downloaded(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"neither t10k-labels-idx1-ubyte\.gz nor t10k-labels-idx1-ubyte"):
        read_data_sets(str(folder), validation_size=0)


@pytest.mark.parametrize("content", [b"", b"\0\0\x08", b"\0\0\x0d\x01\0\0\0\0", idx(LABELS)[:-1], idx(LABELS) + b"\0"])
def test_what_is_no_idx_file_is_refused(folder: Path, content: bytes) -> None:
    (folder / "t10k-labels-idx1-ubyte").write_bytes(content)
    with pytest.raises(ValueError, match="t10k-labels-idx1-ubyte is not an IDX file of bytes, or it is truncated"):
        read_data_sets(str(folder), validation_size=0)


@settings(deadline=None)
@given(st.integers(1, 12), st.lists(st.integers(0, 30), max_size=8), st.booleans())
def test_every_round_gives_out_each_image_once_with_its_label(count: int, sizes: list[int], shuffle: bool) -> None:
    numbers = np.arange(count)
    data = DataSet(numbers * 10, numbers, seed=1)
    batches = [data.next_batch(size, shuffle=shuffle) for size in sizes]
    assert [len(images) for images, _ in batches] == sizes
    for images, labels in batches:
        np.testing.assert_array_equal(images, labels * 10)
    given_out = [int(label) for _, labels in batches for label in labels]
    rounds = [given_out[start : start + count] for start in range(0, len(given_out), count)]
    assert all(sorted(whole) == list(range(count)) for whole in rounds if len(whole) == count)
    assert all(len(set(part)) == len(part) for part in rounds)
    assert shuffle or all(part == sorted(part) for part in rounds)
    assert data.epochs_completed == max(0, len(rounds) - 1)

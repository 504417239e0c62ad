import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from digits import HELD_OUT, TRAINING, read_digits, read_idx, write_idx
from hypothesis import given
from hypothesis import strategies as st
from make_digits import to_mnist, write_digits
from sklearn.datasets import load_digits


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("digits")
    write_digits(made)
    return made


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.booleans())
def test_idx_round_trip(tmp_path_factory: pytest.TempPathFactory, shape: list[int], raw: bool) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path_factory.mktemp("idx") / "array.gz"
    write_idx(path, array)
    if raw:
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path = path.with_suffix("")
    again = read_idx(path, dimensions=len(shape))
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(again, array)


def test_the_format_is_mnists(folder: Path) -> None:
    assert (folder / "train-images-idx3-ubyte.gz").read_bytes()[4:8] == bytes(4)  # gzip's note of the time
    images = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())
    assert images[:16].hex() == "00000803" + f"{1437:08x}" + f"{28:08x}" * 2  # as its page describes the original
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    assert labels[:8].hex() == "00000801" + f"{360:08x}"
    assert len(labels) == 8 + 360


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "begins with , an IDX file of this kind with 00 00 08 01"),
        (b"<!DOCTYPE html>", "begins with 3c 21 44 4f"),  # what a download gives that is not there any more
        (bytes([0, 0, 8, 3]) + bytes(12), "begins with 00 00 08 03"),
        (bytes([0, 0, 13, 1, 0, 0, 0, 0]), "begins with 00 00 0d 01"),
        (bytes([0, 0, 8, 1, 0, 0]), "ends within its header, after 6 bytes"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2]), r"has 2 bytes of data, its dimensions \(3,\) need 3"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 1, 1, 2]), r"has 2 bytes of data, its dimensions \(1,\) need 1"),
    ],
)
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=complaint):
        read_idx(path, dimensions=1)


def test_digits_are_scaled_and_flat(folder: Path) -> None:
    digits = read_digits(folder, HELD_OUT)
    assert (digits.images.shape, digits.images.dtype) == ((360, 784), np.float32)
    assert (digits.labels.shape, digits.labels.dtype) == ((360,), np.int64)
    assert digits.images.min() == 0
    assert digits.images.max() == 1


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / f"{TRAINING[0]}.gz", np.zeros((2, 8, 8)))
    write_idx(tmp_path / f"{TRAINING[1]}.gz", np.zeros(2))
    with pytest.raises(ValueError, match="images of 8x8 pixels, not 28x28"):
        read_digits(tmp_path, TRAINING)


def test_unequal_numbers_of_images_and_labels_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / f"{TRAINING[0]}.gz", np.zeros((2, 28, 28)))
    write_idx(tmp_path / f"{TRAINING[1]}.gz", np.zeros(3))
    with pytest.raises(ValueError, match="2 images in train-images-idx3-ubyte, but 3 labels"):
        read_digits(tmp_path, TRAINING)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither train-images-idx3-ubyte.gz nor train-images-idx3-ubyte is"):
        read_digits(tmp_path, TRAINING)


def test_made_digits_are_always_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    def digests(of: Path) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in of.iterdir()}

    write_digits(tmp_path)
    assert digests(tmp_path) == digests(folder)
    assert sorted(digests(folder)) == sorted(f"{name}.gz" for name in TRAINING + HELD_OUT)


def test_held_out_digits_are_a_fifth_of_each_kind_and_not_in_the_training(folder: Path) -> None:
    training, held_out = read_digits(folder, TRAINING), read_digits(folder, HELD_OUT)
    kinds = np.bincount(training.labels) + np.bincount(held_out.labels)
    np.testing.assert_allclose(np.bincount(held_out.labels) / kinds, 0.2, atol=0.01)
    seen = {image.tobytes() for image in training.images}
    assert not [image for image in held_out.images if image.tobytes() in seen]


def test_enlarged_digits_are_smooth_upright_and_in_the_middle() -> None:
    small = np.zeros((2, 8, 8))
    small[0, 2, 5] = 16  # one point of full brightness
    small[1] = np.arange(8)[:, None]  # grows from row to row
    point, slope = to_mnist(small)
    assert (point.shape, point.dtype) == ((28, 28), np.uint8)
    # Eight pixels become 24: number i moves to 23/7 i, and the border of 2 is before it.
    row, column = np.unravel_index(point.argmax(), point.shape)
    assert (row, column) == (2 + round(2 * 23 / 7), 2 + round(5 * 23 / 7))
    frame = np.ones((28, 28), bool)
    frame[2:26, 2:26] = False
    assert not slope[frame].any()
    np.testing.assert_allclose(slope[2:26, 10], np.linspace(0, 7, 24) * 255 / 16, atol=0.5)
    assert (slope[2:26, 2:26] == slope[2:26, 2:3]).all()


def test_the_brightest_of_scikit_learns_pixels_is_mnists_brightest() -> None:
    assert to_mnist(np.full((1, 8, 8), load_digits().images.max())).max() == 255

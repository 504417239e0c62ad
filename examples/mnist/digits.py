"""Reads MNIST's files: handwritten digits and their labels, in the IDX format.

IDX: four bytes 0, 0, type, number of dimensions; then each dimension as a big-endian 32-bit number; then the data.
The type of all of MNIST's files is 8, unsigned bytes.
"""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

UNSIGNED_BYTES = 8
TRAINING = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
HELD_OUT = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class Digits(NamedTuple):
    """Images, float32 [n, 784] from 0 to 1, and their labels, int64 [n] from 0 to 9."""

    images: np.ndarray
    labels: np.ndarray


def read_digits(folder: Path, names: tuple[str, str]) -> Digits:
    """Read a set of digits.

    Args:
        folder: where the files are, each as it is or with ``.gz`` behind its name.
        names: `TRAINING` or `HELD_OUT`.
    Raises:
        FileNotFoundError: a file is in the folder in neither form.
        ValueError: a file is not what its name says, or images and labels are not equally many.
    """
    images = read_idx(_find(folder, names[0]), dimensions=3)
    labels = read_idx(_find(folder, names[1]), dimensions=1)
    if images.shape[1:] != (28, 28):
        raise ValueError(f"{folder}/{names[0]}: images of {images.shape[1]}x{images.shape[2]} pixels, not 28x28")
    if len(images) != len(labels):
        raise ValueError(f"{folder}: {len(images)} images in {names[0]}, but {len(labels)} labels in {names[1]}")
    return Digits(images.reshape(-1, 784).astype(np.float32) / 255, labels.astype(np.int64))


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes with so many dimensions; uint8.

    Raises:
        ValueError: it is no such file, or its length is not what its dimensions say.
    """
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    expected = bytes([0, 0, UNSIGNED_BYTES, dimensions])
    if content[:4] != expected:
        raise ValueError(
            f"{path}: begins with {content[:4].hex(' ')}, an IDX file of this kind with {expected.hex(' ')}"
        )
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise ValueError(f"{path}: ends within its header, after {len(content)} bytes")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise ValueError(
            f"{path}: has {len(content) - start} bytes of data, its dimensions {shape} need {math.prod(shape)}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as a gzip'd IDX file; the same array always gives the same bytes."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, UNSIGNED_BYTES, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0))


def _find(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.exists():
            return path
    raise FileNotFoundError(f"neither {name}.gz nor {name} is in {folder}")

"""Makes a small MNIST out of the 1,797 digits that come with scikit-learn: the same files, in a fraction of a second.

    python make_digits.py FOLDER

For where the 60,000 real ones cannot be downloaded, or need not be. Runs on your own machine, with scikit-learn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from digits import HELD_OUT, TRAINING, write_idx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HELD_OUT_SHARE = 0.2
ENLARGED = 24  # pixels; MNIST's digits, too, fill about 20 of 28


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a small MNIST from scikit-learn's digits.")
    parser.add_argument("folder", type=Path, help="where to write the four files; made if it does not exist")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for path, count in write_digits(folder).items():
        print(f"{path}  {count}")


def write_digits(folder: Path) -> dict[Path, int]:
    """Write the four files; return them with how many digits each has. Always the same bytes."""
    small, labels = load_digits(return_X_y=True)
    images = to_mnist(small.reshape(-1, 8, 8))
    split = train_test_split(images, labels, test_size=HELD_OUT_SHARE, stratify=labels, random_state=0)
    training_images, held_out_images, training_labels, held_out_labels = split
    arrays = (training_images, training_labels, held_out_images, held_out_labels)
    written = {}
    for name, array in zip(TRAINING + HELD_OUT, arrays, strict=True):
        path = folder / f"{name}.gz"
        write_idx(path, array)
        written[path] = len(array)
    return written


def to_mnist(small: np.ndarray) -> np.ndarray:
    """Enlarge images [n, 8, 8] with values from 0 to 16 to MNIST's [n, 28, 28], uint8 from 0 to 255."""
    places = np.linspace(0, 7, ENLARGED)
    # Column i says how much pixel i of the small image is in each of the 24: linear interpolation as a matrix.
    enlarge = np.stack([np.interp(places, range(8), pixel) for pixel in np.eye(8)], axis=1)
    large = enlarge @ small @ enlarge.T
    border = (28 - ENLARGED) // 2
    return np.pad(np.round(large * 255 / 16), ((0, 0), (border, border), (border, border))).astype(np.uint8)


if __name__ == "__main__":
    main()

"""A new implementation of the MNIST tutorial's `input_data`: read_data_sets from a folder that has the four files.
Nothing is downloaded.

The files are MNIST's (IDX format: two zero bytes, the type 8 for uint8, the number of dimensions, each dimension as a
big-endian 32-bit number, then the values), with or without `.gz`.
"""

import collections
import gzip
import math
import os
import struct

import numpy as np

Datasets = collections.namedtuple("Datasets", ["train", "validation", "test"])

_TRAINING = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
_TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_CLASSES = 10
_UINT8 = 8


class DataSet:
    """Images and their labels, in an endless sequence of batches.

    Attributes:
        images: float32 [n, 784] from 0 to 1, or uint8 from 0 to 255; [n, 28, 28, 1] if not reshaped.
        labels: uint8 [n], or one-hot float64 [n, 10].
        num_examples: n.
        epochs_completed: how many times all of them were returned.
    """

    def __init__(self, images, labels, seed=None):
        self.images, self.labels = images, labels
        self.num_examples = len(images)
        self.epochs_completed = 0
        self._random = np.random.RandomState(seed)
        self._order = np.arange(0)
        self._is_first = True

    def next_batch(self, batch_size, fake_data=False, shuffle=True):
        """The next ``batch_size`` images and labels; at the end of an epoch the rest and the beginning of a new
        order.
        """
        if fake_data:
            raise NotImplementedError("fake_data is not supported; pass a folder with real files")
        if not self.num_examples:
            raise ValueError("there are no images to make a batch of")
        chosen = self._order[:0]
        while len(chosen) < batch_size:
            if not len(self._order):
                self._begin(shuffle)
            wanted = batch_size - len(chosen)
            chosen = np.concatenate([chosen, self._order[:wanted]])
            self._order = self._order[wanted:]
        return self.images[chosen], self.labels[chosen]

    def _begin(self, shuffle):
        self.epochs_completed += 0 if self._is_first else 1
        self._is_first = False
        count = self.num_examples
        self._order = self._random.permutation(count) if shuffle else np.arange(count)


def read_data_sets(
    train_dir,
    fake_data=False,
    one_hot=False,
    dtype=np.float32,
    reshape=True,
    validation_size=5000,
    seed=None,
    source_url=None,  # noqa: ARG001
):
    """Read the four files in ``train_dir``.

    Args:
        one_hot: labels as rows of ten.
        dtype: float32 for values from 0 to 1, uint8 for 0 to 255; NumPy's or TensorFlow's.
        reshape: images as rows of 784.
        validation_size: how many of the first training images form the set `validation`.
        seed: of the batches' order; None for a different one each time.
        source_url: not used: nothing is downloaded.
    Raises:
        FileNotFoundError: one of the files is missing.
        ValueError: a file is not an IDX file of uint8, or there are fewer images than `validation_size`.
    """
    if fake_data:
        raise NotImplementedError("fake_data is not supported; pass a folder with real files")
    train_images, train_labels = (_read(train_dir, name) for name in _TRAINING)
    test_images, test_labels = (_read(train_dir, name) for name in _TEST)
    if not 0 <= validation_size <= len(train_images):
        raise ValueError("validation_size is %d, but there are %d images" % (validation_size, len(train_images)))

    def data_set(images, labels):
        images = images.reshape(len(images), -1) if reshape else images[..., np.newaxis]
        if np.dtype(getattr(dtype, "as_numpy_dtype", dtype)) == np.float32:
            images = images.astype(np.float32) / np.float32(255)
        return DataSet(images, np.eye(_CLASSES)[labels] if one_hot else labels, seed)

    first, rest = slice(None, validation_size), slice(validation_size, None)
    return Datasets(
        train=data_set(train_images[rest], train_labels[rest]),
        validation=data_set(train_images[first], train_labels[first]),
        test=data_set(test_images, test_labels),
    )


def _read(folder, name):
    """One file's array, uint8."""
    paths = [os.path.join(folder, name + end) for end in (".gz", "")]
    path = next((path for path in paths if os.path.exists(path)), None)
    if path is None:
        raise FileNotFoundError("%s has neither %s.gz nor %s; files are not downloaded" % (folder, name, name))
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as stream:
        data = stream.read()
    zero, kind, dimensions = struct.unpack(">HBB", data[:4].ljust(4, b"\xff"))
    shape = struct.unpack_from(">%dI" % dimensions, data, 4) if len(data) >= 4 + 4 * dimensions else ()
    if zero or kind != _UINT8 or not shape or len(data) - 4 - 4 * dimensions != math.prod(shape):
        raise ValueError("%s is not an IDX file of bytes, or it is truncated" % path)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)

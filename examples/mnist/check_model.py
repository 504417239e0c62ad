"""Tries a saved model on the held-out digits in DATA_DIR, through both of its signatures.

    python check_model.py MODEL_FOLDER [--minimum 0.9]

The last line on stdout is a JSON object. Exits with 1 where the model is not good enough.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from digits import HELD_OUT, read_digits


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a saved model's accuracy on held-out digits.")
    parser.add_argument("model", type=Path, help="folder of the SavedModel")
    parser.add_argument("--minimum", type=float, default=0.9, help="least accuracy to pass, 0 to 1 (default 0.9)")
    options = parser.parse_args()

    digits = read_digits(Path(os.environ["DATA_DIR"]), HELD_OUT)
    accuracy = float(np.mean(classify(options.model, digits.images) == digits.labels))
    count = len(digits.labels)
    print(f"{options.model}: {accuracy:.1%} of {count} held-out digits are right")
    print(json.dumps({"accuracy": round(accuracy, 6), "digits": count}))
    if accuracy < options.minimum:
        sys.exit(f"{options.model}: accuracy {accuracy:.3f} is below the minimum, {options.minimum}")


def classify(folder: Path, images: np.ndarray) -> np.ndarray:
    """Classify images, float32 [n, 784]: int64 [n]. Ends the program where the two signatures disagree."""
    signatures = tf.saved_model.load(folder).signatures
    index = signatures["predict_images"](images=tf.constant(images))["class_index"].numpy()
    classes = signatures["serving_default"](inputs=tf.constant(images))["classes"].numpy()
    if not np.array_equal(index, classes):
        sys.exit(f"{folder}: the signatures disagree on {np.sum(index != classes)} of {len(images)} digits")
    return index


if __name__ == "__main__":
    main()

"""Turns the checkpoint that train.py left in RESULT_DIR into a SavedModel for serving, RESULT_DIR/model.

Runs once, after the training, without mpirun.
"""

from __future__ import annotations

import os
from pathlib import Path

import keras
import tensorflow as tf

CHECKPOINT = Path("checkpoint", "model.keras")  # as in train.py


class Classifier(tf.Module):
    """The network behind two signatures. Both take images, float32 [n, 784] from 0 to 1, and give digits, int64 [n]."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network

    @tf.function(input_signature=[tf.TensorSpec([None, 784], tf.float32, name="images")])
    def predict_images(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"class_index": self._classify(images)}

    @tf.function(input_signature=[tf.TensorSpec([None, 784], tf.float32, name="inputs")])
    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"classes": self._classify(inputs)}

    def _classify(self, images: tf.Tensor) -> tf.Tensor:
        return tf.argmax(self.network(images, training=False), axis=1)


def main() -> None:
    results = Path(os.environ["RESULT_DIR"])
    classifier = Classifier(keras.models.load_model(results / CHECKPOINT, compile=False))
    signatures = {"predict_images": classifier.predict_images, "serving_default": classifier.classify}
    tf.saved_model.save(classifier, results / "model", signatures)
    print(f"model  {results / 'model'}")


if __name__ == "__main__":
    main()

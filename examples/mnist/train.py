"""Trains a small convolutional network on MNIST, on every rank that mpirun starts. Also runs alone, without mpirun.

The only signs of many ranks are `import ddl` and the lines that use its rank() and size().

Reads DATA_DIR, where MNIST's four files are; writes a checkpoint and metrics.json into RESULT_DIR.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from pathlib import Path

import ddl  # before anything uses a GPU: it picks the one of this rank
import keras
import tensorflow as tf
from digits import HELD_OUT, TRAINING, Digits, read_digits

CHECKPOINT = Path("checkpoint", "model.keras")  # within RESULT_DIR


def main() -> None:
    options = parse_arguments()
    share_processors()
    keras.utils.set_random_seed(ddl.rank())  # ranks start from different weights, which ddl makes the same

    data, results = Path(os.environ["DATA_DIR"]), Path(os.environ["RESULT_DIR"])
    training = shard(read_digits(data, TRAINING))
    held_out = read_digits(data, HELD_OUT)

    model = make_model(options.learning_rate)
    model.fit(
        training.images,
        training.labels,
        batch_size=options.batch,
        epochs=options.epochs,
        verbose=0,
        callbacks=[Progress(options.epochs, results / CHECKPOINT)],
    )
    print(f"weights sha256 {weights_digest(model)}", flush=True)
    loss, accuracy = model.evaluate(held_out.images, held_out.labels, batch_size=256, verbose=0)
    print(f"held-out  loss {loss:.4f}  accuracy {accuracy:.3f}", flush=True)
    if ddl.rank() == 0:
        metrics = {"ranks": ddl.size(), "loss": round(loss, 4), "accuracy": round(accuracy, 4)}
        (results / "metrics.json").write_text(json.dumps(metrics))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small network on MNIST.")
    parser.add_argument("--epochs", type=int, default=8, help="times through the data (default 8)")
    parser.add_argument("--batch", type=int, default=64, help="images per step on each rank (default 64)")
    parser.add_argument("--learning-rate", type=float, default=0.003, help="of Adam (default 0.003)")
    return parser.parse_args()


def share_processors() -> None:
    """Divide the host's processors between its ranks; each would start threads for all of them."""
    ranks_here = max(1, ddl.size() // ddl.num_hosts())
    threads = max(1, (os.cpu_count() or 1) // ranks_here)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def shard(digits: Digits) -> Digits:
    """This rank's part. All parts are equally large: with a step more than the others, a rank would wait for ever."""
    length = len(digits.images) // ddl.size()
    return Digits(*(array[ddl.rank() :: ddl.size()][:length] for array in digits))


def make_model(learning_rate: float) -> keras.Model:
    """Network from images, [n, 784], to logits, [n, 10]."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((784,)),
            layers.Reshape((28, 28, 1)),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


class Progress(keras.callbacks.Callback):
    """After each epoch: one line from each rank, about its own shard; a checkpoint from rank 0."""

    def __init__(self, epochs: int, checkpoint: Path) -> None:
        super().__init__()
        self.epochs = epochs
        self.checkpoint = checkpoint

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        print(f"epoch {epoch + 1}/{self.epochs}  loss {logs['loss']:.4f}  accuracy {logs['accuracy']:.3f}", flush=True)
        if ddl.rank() == 0:
            self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
            self.model.save(self.checkpoint)


def weights_digest(model: keras.Model) -> str:
    """A digest of all weights: the same on all ranks, if they trained together."""
    return hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()


if __name__ == "__main__":
    main()

"""Rank 0 goes on with a model that it loads, the others build theirs; all must train the same.

    mpirun -np N python rank_0_loads.py sequential | functional | subclass FOLDER [bare] [optimizer=NAME]

`bare`: without the callback, so that gradients are the first that ranks have in common. On Keras 3 and 2.
"""

import sys
from pathlib import Path

import ddl
import keras
import numpy as np

KIND, FOLDER = sys.argv[1:3]
BARE = "bare" in sys.argv
OPTIMIZER = next((word.partition("=")[2] for word in sys.argv if word.startswith("optimizer=")), "Adam")
RANK = ddl.rank()
layers = keras.layers


@keras.saving.register_keras_serializable("tests")
class Scaled(layers.Layer):
    """A layer with a weight of its own."""

    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")
        super().build(shape)

    def call(self, x):
        return x * self.scale


@keras.saving.register_keras_serializable("tests")
class Model(keras.Model):
    def __init__(self, **words):
        super().__init__(**words)
        self.first, self.scaled, self.second = layers.Dense(8), Scaled(), layers.Dense(1)

    def call(self, x):
        return self.second(self.scaled(self.first(x)))


def make():
    parts = [layers.Dense(8), layers.BatchNormalization(), layers.Dropout(0.1), layers.Dense(8), Scaled()]
    if KIND == "sequential":
        return keras.Sequential([layers.InputLayer((4,)), *parts, layers.Dense(1)])
    if KIND == "functional":
        given = made = layers.Input((4,))
        for part in parts:
            made = part(made)
        return keras.Model(given, layers.Dense(1)(made))
    model = Model()
    model(np.zeros((1, 4), "float32"))
    return model


def compiled():
    keras.utils.set_random_seed(RANK)
    model = make()
    optimizers = keras.optimizers.legacy if OPTIMIZER.startswith("legacy.") else keras.optimizers
    model.compile(getattr(optimizers, OPTIMIZER.rpartition(".")[2])(0.01), "mse", metrics=["mae"])
    return model


def main():
    generator = np.random.default_rng(RANK)
    x = generator.normal(size=(32, 4)).astype("float32")
    y = x.sum(axis=1, keepdims=True)
    if RANK == 0:
        for _ in range(3):
            model = compiled()  # others that rank 0 has made count, too
        path = str(Path(FOLDER, "model.keras"))
        model.save(path)
        model = keras.models.load_model(path)
        expected = model.get_weights()
    else:
        model = compiled()
        expected = None
    first = []

    class Notes(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            first.append(self.model.get_weights())

    callbacks = [Notes()] if BARE else [ddl.DDLGlobalVariablesCallback(), Notes()]
    model.fit(x, y, batch_size=8, epochs=1, verbose=0, callbacks=callbacks)
    if not BARE:
        for weight, of_rank_0 in zip(first[0], ddl.bcast(expected)):
            np.testing.assert_array_equal(weight, of_rank_0)
    for one in model.trainable_variables:
        np.testing.assert_array_equal(np.asarray(one), ddl.bcast(np.asarray(one)))
    print("\nRIGHT %d" % RANK, flush=True)


if __name__ == "__main__":
    main()

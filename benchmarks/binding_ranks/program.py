"""Three programs in one, so that TensorFlow is started once; each trains a model with ddl. Rank 0 prints their pace.

python program.py PART          PART: how much of the usual number of steps is taken, such as 0.1
"""

import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import ddl
import keras
import tensorflow as tf

PART = float(sys.argv[1])


def trained(model, batches, steps):
    """Seconds a step: the mean, as what a pipeline has ready makes some steps fast and others slow."""
    optimizer = keras.optimizers.SGD(0.001)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            loss = keras.losses.sparse_categorical_crossentropy(labels, model(images, training=True), from_logits=True)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))  # noqa: B905
        return tf.reduce_mean(loss)

    found, warm = iter(batches), max(3, steps // 4)
    for number in range(warm + steps):
        if number == warm:
            begin = time.perf_counter()
        step(*next(found)).numpy()
    return (time.perf_counter() - begin) / steps


def photographs(size):
    """Batches of 32 photographs decoded, cropped, flipped and scaled, by as many threads as tf.data chooses."""
    noise = tf.cast(tf.random.stateless_uniform((320, 320, 3), (1, 2), maxval=256, dtype=tf.int32), tf.uint8)
    encoded = tf.io.encode_jpeg(noise).numpy()

    def prepared(number):
        image = tf.image.random_crop(tf.io.decode_jpeg(encoded), (256, 256, 3))
        image = tf.image.resize(tf.image.random_flip_left_right(image), (size, size)) / 255.0
        return tf.image.random_contrast(image, 0.8, 1.2), number % 10

    numbers = tf.data.Dataset.range(1 << 30)
    return numbers.map(prepared, num_parallel_calls=tf.data.AUTOTUNE).batch(32).prefetch(tf.data.AUTOTUNE)


def fixed(shape):
    """The same batch again and again."""
    return tf.data.Dataset.from_tensors((tf.random.normal(shape), tf.zeros(shape[0], tf.int64))).repeat()


def convolutional():
    layers = keras.layers
    return keras.Sequential(
        [
            *(layers.Conv2D(32, 5, activation="relu"), layers.MaxPooling2D()),
            *(layers.Conv2D(64, 5, activation="relu"), layers.MaxPooling2D()),
            *(layers.Flatten(), layers.Dense(512, activation="relu"), layers.Dense(10)),
        ]
    )


def dense():
    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10)])


PROGRAMS = {
    "input": lambda: (dense(), photographs(64), (32, 64, 64, 3), 40),
    "compute": lambda: (convolutional(), fixed((100, 28, 28, 1)), (100, 28, 28, 1), 60),
    "small": lambda: (dense(), fixed((8, 16)), (8, 16), 1500),
}
for name, make in PROGRAMS.items():
    model, batches, shape, steps = make()
    model.build(shape)
    pace = trained(model, batches, max(4, int(PART * steps)))
    if ddl.rank() == 0:
        print(f"STEP {name} {pace:.9f}", flush=True)

"""TensorFlow 1.x's optimizers, ``tf.compat.v1.train``: ``apply_gradients`` averages first, in sessions and eagerly."""

from __future__ import annotations

import functools

import tensorflow as tf

from ddl.engine import Engine
from ddl.tensorflow.applying import average_pairs_first
from ddl.tensorflow.replacing import replace


def install(engine: Engine) -> None:
    """Hook into them. A second call changes nothing."""
    averaging = functools.partial(average_pairs_first, engine)
    replace(tf.compat.v1.train.Optimizer, "apply_gradients", averaging)
    # Looks for gradients that are not finite: at the average, for all ranks to decide the same.
    replace(tf.compat.v1.mixed_precision.MixedPrecisionLossScaleOptimizer, "apply_gradients", averaging)

"""TensorFlow 1.x's optimizers, ``tf.compat.v1.train``: ``apply_gradients`` averages first, in sessions and eagerly."""

from __future__ import annotations

import functools

import tensorflow as tf

from ddl.engine import Engine
from ddl.tensorflow.optimizer_hook import wrap_apply_gradients
from ddl.tensorflow.patching import patch


def install(engine: Engine) -> None:
    """Hook into them. A second call changes nothing."""
    averaging = functools.partial(wrap_apply_gradients, engine)
    patch(tf.compat.v1.train.Optimizer, "apply_gradients", averaging)
    # It checks for gradients that are not finite: on the average, so that all ranks decide the same.
    patch(tf.compat.v1.mixed_precision.MixedPrecisionLossScaleOptimizer, "apply_gradients", averaging)

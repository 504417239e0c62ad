"""An optimizer's learning rate, for the warning of `ddl.learning_rate`."""

from __future__ import annotations

import inspect
from typing import Any

import tensorflow as tf

from ddl.learning_rate import warn_if_unscaled


def check_learning_rate(optimizer: Any) -> None:
    """Warn, once, if the rate of a Keras or TensorFlow 1.x optimizer does not look scaled."""
    warn_if_unscaled(_rate(optimizer), _default(optimizer))


def _rate(optimizer: Any) -> float | None:
    """The rate as a number; None for a schedule, or one that a version 1 graph computes."""
    found = next((getattr(optimizer, name) for name in ("_learning_rate", "_lr") if hasattr(optimizer, name)), None)
    with tf.init_scope():
        try:
            return float(found.numpy() if hasattr(found, "numpy") else found)
        except (TypeError, ValueError, AttributeError, NotImplementedError):
            return None


def _default(optimizer: Any) -> float | None:
    parameter = inspect.signature(type(optimizer).__init__).parameters.get("learning_rate")
    return parameter.default if parameter is not None and isinstance(parameter.default, float) else None

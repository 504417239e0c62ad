"""What an optimizer's learning rate is, for the warning of `ddl.learning_rate`."""

from __future__ import annotations

import inspect
from typing import Any

import tensorflow as tf

from ddl.learning_rate import warn_where_unscaled


def look_at_rate(optimizer: Any) -> None:
    """Warn, once, where the rate of an optimizer of Keras or TensorFlow 1.x does not look scaled."""
    warn_where_unscaled(_rate(optimizer), _default(optimizer))


def _rate(optimizer: Any) -> float | None:
    """Its rate as a number; None for a schedule, or one that a version 1 graph computes."""
    found = next((getattr(optimizer, name) for name in ("_learning_rate", "_lr") if hasattr(optimizer, name)), None)
    with tf.init_scope():
        try:
            return float(found.numpy() if hasattr(found, "numpy") else found)
        except (TypeError, ValueError, AttributeError, NotImplementedError):
            return None


def _default(optimizer: Any) -> float | None:
    parameter = inspect.signature(type(optimizer).__init__).parameters.get("learning_rate")
    return parameter.default if parameter is not None and isinstance(parameter.default, float) else None

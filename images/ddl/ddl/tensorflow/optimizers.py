"""TensorFlow 1.x's optimizers, ``tf.compat.v1.train``: ``apply_gradients`` averages first, in sessions and eagerly."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from ddl.engine import Engine
from ddl.tensorflow import sessions
from ddl.tensorflow.reduction import reduce_pairs
from ddl.tensorflow.replacing import Method, here, replace
from ddl.tensorflow.scaling import look_at_rate
from ddl.tensorflow.variables import give_values_once


def install(engine: Engine) -> None:
    """Hook into them. A second call changes nothing."""
    applying = functools.partial(_applying, engine)
    replace(tf.compat.v1.train.Optimizer, "apply_gradients", applying)
    # Looks for gradients that are not finite: at the average, for all ranks to decide the same.
    replace(tf.compat.v1.mixed_precision.MixedPrecisionLossScaleOptimizer, "apply_gradients", applying)


def _applying(engine: Engine, apply: Method) -> Method:
    def average_and_apply(self: Any, grads_and_vars: Iterable[tuple[Any, Any]], *args: Any, **kwargs: Any) -> Any:
        if here.in_apply:
            return apply(self, grads_and_vars, *args, **kwargs)
        pairs = list(grads_and_vars)
        look_at_rate(self)
        averaged = reduce_pairs(pairs, average=True)
        if tf.compat.v1.executing_eagerly_outside_functions():
            give_values_once(engine, (variable for _, variable in pairs))
        else:
            own = [new for (new, _), (old, _) in zip(averaged, pairs, strict=True) if new is not old]
            sessions.arrange([variable for _, variable in pairs], own)
        here.in_apply = True
        try:
            return apply(self, averaged, *args, **kwargs)
        finally:
            here.in_apply = False

    return average_and_apply

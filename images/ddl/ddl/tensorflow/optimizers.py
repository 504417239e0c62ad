"""TensorFlow 1.x's optimizers, ``tf.compat.v1.train``: ``apply_gradients`` averages first, in sessions and eagerly."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from ddl.engine import Engine
from ddl.steps import stepped
from ddl.tensorflow.reduction import reduce_pairs
from ddl.tensorflow.replacing import Method, here, replace
from ddl.tensorflow.scaling import look_at_rate


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
        averaged = reduce_pairs(engine, pairs, average=True)
        here.in_apply = True
        try:
            applied = apply(self, averaged, *args, **kwargs)
        finally:
            here.in_apply = False
        return stepped(self, [variable for _, variable in averaged], applied)

    return average_and_apply

"""Keras 2's optimizers, as TensorFlow up to 2.15 has them: ``apply_gradients`` averages first. See `keras3`.

Both kinds of optimizer are hooked: today's, and those of ``tf.keras.optimizers.legacy``; and both kinds of loss scaling
around them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import keras

from ddl.engine import Engine
from ddl.steps import stepped
from ddl.tensorflow.reduction import reduce_pairs
from ddl.tensorflow.replacing import Method, definer, here, replace
from ddl.tensorflow.scaling import look_at_rate


def install(engine: Engine) -> None:
    """Hook into Keras 2. A second call changes nothing."""
    applying = functools.partial(_applying, engine)
    for optimizer in (keras.optimizers.Optimizer, keras.optimizers.legacy.Optimizer):
        replace(optimizer, "apply_gradients", applying)
    # They look for gradients that are not finite: at the average, for all ranks to decide the same.
    for scaling in {type(_scaled(one)) for one in (keras.optimizers.SGD(), keras.optimizers.legacy.SGD())}:
        replace(scaling, "apply_gradients", applying)
    definer(keras.Model, "jit_compile").jit_compile = property(lambda _: False, lambda _, __: None)


def _scaled(optimizer: Any) -> Any:
    """The public name makes one of two classes, by the optimizer that it is given."""
    return keras.mixed_precision.LossScaleOptimizer(optimizer)


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

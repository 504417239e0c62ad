"""Keras 2's classes, as TensorFlow up to 2.15 has them: ``apply_gradients`` averages first. See `ddl.keras_hook`.

An optimizer is built at its first step, so the variables of that step are those that get rank 0's values; ``fit`` gives
them to a model that is built before the first step is computed. Both kinds of optimizer are hooked: today's, and those
of ``tf.keras.optimizers.legacy``; and both kinds of loss scaling around them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import keras

from ddl import initial_values
from ddl.communicator import Communicator
from ddl.reduction import reduce_pairs
from ddl.replacing import Method, definer, here, replace


def install(ranks: Communicator) -> None:
    """Hook into Keras 2. A second call changes nothing."""
    applying = functools.partial(_applying, ranks)
    model = keras.Model
    for optimizer in (keras.optimizers.Optimizer, keras.optimizers.legacy.Optimizer):
        replace(optimizer, "apply_gradients", applying)
    # They look for gradients that are not finite: at the average, for all ranks to decide the same.
    for scaling in {type(_scaled(one)) for one in (keras.optimizers.SGD(), keras.optimizers.legacy.SGD())}:
        replace(scaling, "apply_gradients", applying)
    replace(model, "fit", functools.partial(_fitting, ranks))
    replace(model, "train_on_batch", functools.partial(_fitting, ranks))
    definer(model, "jit_compile").jit_compile = property(lambda _: False, lambda _, __: None)


def _scaled(optimizer: Any) -> Any:
    """The public name makes one of two classes, by the optimizer that it is given."""
    return keras.mixed_precision.LossScaleOptimizer(optimizer)


def _applying(ranks: Communicator, apply: Method) -> Method:
    def average_and_apply(self: Any, grads_and_vars: Iterable[tuple[Any, Any]], *args: Any, **kwargs: Any) -> Any:
        if here.in_apply:
            return apply(self, grads_and_vars, *args, **kwargs)
        pairs = reduce_pairs(ranks, list(grads_and_vars), average=True)
        initial_values.note_first(self, [variable for _, variable in pairs])
        initial_values.broadcast_once(ranks, self)
        here.in_apply = True
        try:
            return apply(self, pairs, *args, **kwargs)
        finally:
            here.in_apply = False

    return average_and_apply


def _fitting(ranks: Communicator, fit: Method) -> Method:
    def broadcast_and_fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        optimizer = getattr(self, "optimizer", None)
        if optimizer is not None and self.built:
            initial_values.note_first(optimizer, self.trainable_variables)
            initial_values.broadcast_once(ranks, optimizer)
        return fit(self, *args, **kwargs)

    return broadcast_and_fit

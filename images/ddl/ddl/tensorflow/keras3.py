"""Keras 3's optimizers: ``apply``, which ``apply_gradients``, ``fit`` and custom loops all come to, averages first.

XLA is off: it cannot compile an op that is not its own, and Keras turns it on by itself.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import keras

from ddl.engine import Engine
from ddl.steps import stepped
from ddl.tensorflow.reduction import reduce_pairs
from ddl.tensorflow.replacing import Method, definer, here, replace
from ddl.tensorflow.scaling import look_at_rate


def is_it() -> bool:
    """Whether the Keras that is loaded is the third."""
    return int(keras.__version__.partition(".")[0]) >= 3


def install(engine: Engine) -> None:
    """Hook into Keras. A second call changes nothing.

    Raises:
        RuntimeError: Keras runs on something other than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(f"ddl: Keras must run on TensorFlow, not on {keras.backend.backend()}")
    applying = functools.partial(_applying, engine)
    replace(keras.optimizers.Optimizer, "apply", applying)
    # This one has its own apply, which skips the step where a gradient is not finite. It must look at the average, for
    # all ranks to decide the same. The apply of the optimizer inside it is then a call inside a call.
    replace(keras.optimizers.LossScaleOptimizer, "apply", applying)
    definer(keras.Model, "jit_compile").jit_compile = property(lambda _: False, lambda _, __: None)


def _applying(engine: Engine, apply: Method) -> Method:
    def average_and_apply(self: Any, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> Any:
        if here.in_apply:
            return apply(self, grads, trainable_variables)
        # Without variables, those that the optimizer was built for.
        variables = list(self._trainable_variables if trainable_variables is None else trainable_variables)
        look_at_rate(self)
        averaged = [grad for grad, _ in reduce_pairs(engine, list(zip(grads, variables, strict=True)), average=True)]
        here.in_apply = True
        try:
            applied = apply(self, averaged, trainable_variables)
        finally:
            here.in_apply = False
        return stepped(self, variables, applied)

    return average_and_apply

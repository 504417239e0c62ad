"""Keras 3's optimizers: ``apply``, which ``apply_gradients``, ``fit`` and custom loops all call, averages first.

XLA is disabled: it cannot compile custom ops, and Keras enables it by itself.
"""

from __future__ import annotations

import functools
from typing import Any

from ddl.engine import Engine
from ddl.tensorflow.optimizer_hook import wrap_apply
from ddl.tensorflow.patching import defining_class, patch


def install(engine: Engine, keras: Any) -> None:
    """Hook into a Keras 3 that runs on TensorFlow. A second call changes nothing."""
    averaging = functools.partial(wrap_apply, engine)
    patch(keras.optimizers.Optimizer, "apply", averaging)
    # It has its own apply, which skips the step if a gradient is not finite. It must check the average, so that all
    # ranks decide the same. The apply of its inner optimizer is then a nested call.
    patch(keras.optimizers.LossScaleOptimizer, "apply", averaging)
    defining_class(keras.Model, "jit_compile").jit_compile = property(lambda _: False, lambda _, __: None)

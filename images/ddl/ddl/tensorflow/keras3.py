"""Keras 3's optimizers: ``apply``, which ``apply_gradients``, ``fit`` and custom loops all come to, averages first.

XLA is off: it cannot compile an op that is not its own, and Keras turns it on by itself.
"""

from __future__ import annotations

import functools
from typing import Any

from ddl.engine import Engine
from ddl.tensorflow.applying import average_gradients_first
from ddl.tensorflow.replacing import definer, replace


def install(engine: Engine, keras: Any) -> None:
    """Hook into a Keras 3 that runs on TensorFlow. A second call changes nothing."""
    averaging = functools.partial(average_gradients_first, engine)
    replace(keras.optimizers.Optimizer, "apply", averaging)
    # This one has its own apply, which skips the step where a gradient is not finite. It must look at the average, for
    # all ranks to decide the same. The apply of the optimizer inside it is then a call inside a call.
    replace(keras.optimizers.LossScaleOptimizer, "apply", averaging)
    definer(keras.Model, "jit_compile").jit_compile = property(lambda _: False, lambda _, __: None)

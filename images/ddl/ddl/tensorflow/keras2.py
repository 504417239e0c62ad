"""Keras 2's optimizers: ``apply_gradients`` averages first. See `keras3`.

There is more than one Keras 2: TensorFlow's up to 2.15, the package ``tf_keras`` (which ``TF_USE_LEGACY_KERAS=1`` makes
the ``tf.keras`` of newer ones), and the old one in ``tensorflow.python.keras``. A process may have several loaded, and
Keras 3 beside them; so the module is given. Each has today's optimizers and those of ``optimizers.legacy``, and loss
scaling around either.
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

from ddl.engine import Engine
from ddl.tensorflow.applying import average_pairs_first
from ddl.tensorflow.replacing import definer, replace


def install(engine: Engine, keras: Any) -> None:
    """Hook into a Keras 2. A second call changes nothing."""
    for optimizer in (keras.optimizers.Optimizer, keras.optimizers.legacy.Optimizer):
        replace(optimizer, "apply_gradients", functools.partial(average_pairs_first, engine))
    # They look for gradients that are not finite: at the average, for all ranks to decide the same. The public name
    # makes one of several classes, by the optimizer that it is given.
    hook_optimizers_of(engine, sys.modules[keras.mixed_precision.LossScaleOptimizer.__module__])
    definer(keras.Model, "jit_compile").jit_compile = property(lambda _: False, lambda _, __: None)


def hook_optimizers_of(engine: Engine, module: ModuleType) -> None:
    """Hook into the optimizers that a module of Keras 2 defines. A second call changes nothing."""
    for one in tuple(vars(module).values()):
        if isinstance(one, type) and one.__module__ == module.__name__ and "apply_gradients" in vars(one):
            replace(one, "apply_gradients", functools.partial(average_pairs_first, engine))

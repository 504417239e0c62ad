"""Keras 2's optimizers: ``apply_gradients`` averages first. See `keras3`.

There are several Keras 2: TensorFlow's up to 2.15, the package ``tf_keras`` (which ``TF_USE_LEGACY_KERAS=1`` makes the
``tf.keras`` of newer ones), and the old one in ``tensorflow.python.keras``. A process may have several of them loaded,
and Keras 3 as well; so the module is a parameter. Each has current optimizers and those of ``optimizers.legacy``, and
loss scaling around either.
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

from ddl.engine import Engine
from ddl.tensorflow.optimizer_hook import wrap_apply_gradients
from ddl.tensorflow.patching import defining_class, patch


def install(engine: Engine, keras: Any) -> None:
    """Hook into a Keras 2. A second call changes nothing."""
    for optimizer in (keras.optimizers.Optimizer, keras.optimizers.legacy.Optimizer):
        patch(optimizer, "apply_gradients", functools.partial(wrap_apply_gradients, engine))
    # These check for gradients that are not finite: on the average, so that all ranks decide the same. The public name
    # creates one of several classes, depending on the optimizer.
    hook_optimizers_of(engine, sys.modules[keras.mixed_precision.LossScaleOptimizer.__module__])
    defining_class(keras.Model, "jit_compile").jit_compile = property(lambda _: False, lambda _, __: None)


def hook_optimizers_of(engine: Engine, module: ModuleType) -> None:
    """Hook into the optimizers that a module of Keras 2 defines. A second call changes nothing."""
    for one in tuple(vars(module).values()):
        if isinstance(one, type) and one.__module__ == module.__name__ and "apply_gradients" in vars(one):
            patch(one, "apply_gradients", functools.partial(wrap_apply_gradients, engine))

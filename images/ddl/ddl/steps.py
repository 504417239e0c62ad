"""Callbacks after each optimizer step: other parts of ddl register here, and the optimizers' hooks report here.

`notify_step` is called where Python builds the step: once per step if TensorFlow runs eagerly; once per trace inside a
``tf.function``; and once per version 1 graph. So a callback that wants something done in every step of a traced
function adds an op, which runs after the variables were assigned if it reads them (in a version 1 graph: if it also
depends on ``applied``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

AfterStep = Callable[[Any, Sequence[Any], Any], Any]
"""Takes the optimizer, the variables of the step, and the return value of its method: in a version 1 graph the
operation that applies the gradients, otherwise of no interest. Returns a replacement for it, or None.
"""

_callbacks: list[AfterStep] = []


def register(callback: AfterStep) -> None:
    """Call a callback after each step. Registering the same one again changes nothing."""
    if callback not in _callbacks:
        _callbacks.append(callback)


def notify_step(optimizer: Any, variables: Sequence[Any], applied: Any = None) -> Any:
    """Tell all callbacks, in the order of registration, that an optimizer has applied averaged gradients.

    Args:
        optimizer: Keras's or TensorFlow's; if one wraps another (loss scaling), the outer one.
        variables: those whose gradients it was given, as the program passed them.
        applied: the return value of the optimizer's method.
    Returns:
        What the method shall return.
    """
    for callback in _callbacks:
        replacement = callback(optimizer, variables, applied)
        applied = applied if replacement is None else replacement
    return applied

"""What other parts of ddl do after an optimizer's step: they register here, and the optimizers' hooks report here.

`stepped` is called where Python builds the step: once for each step where TensorFlow runs eagerly; once for each trace
inside a ``tf.function``; and once for each graph of version 1. So a callback that wants something done in every step of
a traced function adds an op, which runs after the variables were assigned if it reads them (in a version 1 graph: if it
also depends on ``applied``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

AfterStep = Callable[[Any, Sequence[Any], Any], Any]
"""Takes the optimizer, the variables of the step, and what its method is about to return: in a version 1 graph the
operation that applies the gradients, else of no interest. Returns what is to be returned instead; None: the same."""

_callbacks: list[AfterStep] = []


def register(callback: AfterStep) -> None:
    """Have a callback called after each step. A second call with the same one changes nothing."""
    if callback not in _callbacks:
        _callbacks.append(callback)


def stepped(optimizer: Any, variables: Sequence[Any], applied: Any = None) -> Any:
    """Tell all callbacks, in the order in which they registered, that an optimizer has applied averaged gradients.

    Args:
        optimizer: Keras's or TensorFlow's; where one wraps another (loss scaling), the outer one.
        variables: those whose gradients it was given, as the program gave them.
        applied: what the optimizer's method has returned.
    Returns:
        What the method shall return.
    """
    for callback in _callbacks:
        replacement = callback(optimizer, variables, applied)
        applied = applied if replacement is None else replacement
    return applied

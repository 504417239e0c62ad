"""The last line of defence: an optimizer whose gradients ddl did not average must not change what is trained.

An optimizer comes past the hooks where it overrides the method that has them and does not call it, where another
library has put its own method in their place, or where it is of a Keras that nobody knows. Every optimizer changes its
variables by one of TensorFlow's training ops, or assigns to them. So that is where this looks: each call that is not
within a hook, before it does anything. In a `tf.function` that is when it is traced.

What a program does by hand is left to it: assigning outside of an optimizer (loading weights, say), and all of it, once
the program has itself reduced anything by `ddl.grads_reduce`, `ddl.allreduce_n` or `ddl.DistributedGradientTape`.
"""

from __future__ import annotations

import functools
import re
import sys
from types import FrameType, ModuleType
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import gen_training_ops
from tensorflow.python.ops.ref_variable import RefVariable
from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable, ResourceVariable

from ddl.ending import refusal
from ddl.tensorflow.replacing import Method, here
from ddl.tensorflow.variables import MARK

REDUCED = "_ddl_reduced"
"""What a gradient has that has been reduced."""

_METHODS = frozenset(
    (
        *("apply", "apply_gradients", "update_step"),
        *("_apply_dense", "_apply_sparse", "_resource_apply_dense", "_resource_apply_sparse"),
        *("_backend_apply_gradients", "_internal_apply_gradients"),
    )
)
"""The methods in which optimizers change variables."""

_TRAINING_OP = re.compile(r"(resource_?)?(sparse_?)?apply(?!.*fallback)", re.IGNORECASE)

_program_reduces: list[bool] = []


def note_reduction() -> None:
    """Gradients or other tensors are about to be reduced: where no hook does that, it is the program's own doing."""
    if not here.in_apply and not _program_reduces:
        _program_reduces.append(True)


def install() -> None:
    """Look at each change of a variable from now on. A second call changes nothing."""
    for cls in (BaseResourceVariable, ResourceVariable, RefVariable):
        for name in ("assign", "assign_add", "assign_sub", "scatter_add", "scatter_sub", "scatter_update"):
            _put(cls, name, _assigning)
    for module in (gen_training_ops, tf.raw_ops, tf.compat.v1.raw_ops):
        for name in dir(module):
            if _TRAINING_OP.match(name):
                _put(module, name, _training)


def _put(owner: type | ModuleType, name: str, wrap: Any) -> None:
    method = vars(owner).get(name)
    # A mark of its own: the divergence guard wraps some of these, too (`ddl.tensorflow.guard`).
    if not callable(method) or hasattr(method, "ddl_looks_at"):
        return
    wrapped = functools.wraps(method)(wrap(method))
    wrapped.ddl_looks_at = method
    setattr(owner, name, wrapped)


def _assigning(assign: Method) -> Method:
    def look_and_assign(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not here.in_apply and not _program_reduces and _is_trained(self):
            _refuse_optimizers(self)
        return assign(self, *args, **kwargs)

    return look_and_assign


def _training(op: Method) -> Method:
    def look_and_apply(*args: Any, **kwargs: Any) -> Any:
        excused = here.in_apply or _program_reduces or tf.distribute.has_strategy()
        if not excused and not any(hasattr(value, REDUCED) for value in (*args, *kwargs.values())):
            optimizer = _optimizer_of(sys._getframe(1))
            who = f"TensorFlow's op {op.__name__}" if optimizer is None else f"the optimizer {_name(optimizer)}"
            raise refusal(_message(who, "a variable"))
        return op(*args, **kwargs)

    return look_and_apply


def _is_trained(variable: Any) -> bool:
    """Whether a gradient has been computed from it; a version 1 graph tells that only of those that it reduces."""
    if tf.distribute.has_strategy():
        return False  # these variables are the strategy's business, which may change them in a thread of its own
    if tf.compat.v1.executing_eagerly_outside_functions():
        return hasattr(variable, MARK)
    return bool(variable.trainable)


def _refuse_optimizers(variable: Any) -> None:
    optimizer = _optimizer_of(sys._getframe(2))
    if optimizer is not None:
        raise refusal(_message(f"the optimizer {_name(optimizer)}", variable.name))


def _optimizer_of(frame: FrameType | None) -> Any:
    """The optimizer that one of a frame's callers is a method of; None where there is none."""
    while frame is not None:
        code = frame.f_code
        if code.co_name.removeprefix("tf__") in _METHODS and code.co_argcount:  # autograph's are called tf__…
            owner = frame.f_locals.get(code.co_varnames[0])
            if hasattr(type(owner), "apply_gradients"):
                return owner
        frame = frame.f_back
    return None


def _name(optimizer: Any) -> str:
    return f"{type(optimizer).__module__}.{type(optimizer).__qualname__}"


def _message(who: str, what: str) -> str:
    return (
        f"ddl: {who} would change {what} by gradients of this rank alone: ddl did not average them. An optimizer of "
        "one's own must call super().apply_gradients (Keras 3: super().apply), or average by itself: "
        "grads_and_vars = ddl.grads_reduce(grads_and_vars)"
    )

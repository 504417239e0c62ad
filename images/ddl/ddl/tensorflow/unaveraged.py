"""A final check: an optimizer whose gradients ddl did not average must not change trained variables.

An optimizer bypasses the hooks if it overrides the hooked method without calling it, if another library has replaced
that method, or if it belongs to an unknown Keras. Every optimizer changes its variables with one of TensorFlow's
training ops, or assigns to them. So those are checked: each call outside of a hook, before it has any effect. In a
`tf.function` that is at trace time.

Explicit actions of the program are permitted: assigning outside of an optimizer (loading weights, say), and everything
once the program has itself reduced anything with `ddl.grads_reduce`, `ddl.allreduce_n` or
`ddl.DistributedGradientTape`.
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

from ddl.tensorflow.patching import Method, context
from ddl.tensorflow.variables import MARK
from ddl.termination import diverged_error

REDUCED = "_ddl_reduced"
"""Attribute that marks a reduced gradient."""

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
    """Tensors are about to be reduced: if not by a hook, then explicitly by the program."""
    if not context.in_apply and not _program_reduces:
        _program_reduces.append(True)


def install() -> None:
    """Check each change of a variable from now on. A second call changes nothing."""
    for cls in (BaseResourceVariable, ResourceVariable, RefVariable):
        for name in ("assign", "assign_add", "assign_sub", "scatter_add", "scatter_sub", "scatter_update"):
            _patch(cls, name, _wrap_assign)
    for module in (gen_training_ops, tf.raw_ops, tf.compat.v1.raw_ops):
        for name in dir(module):
            if _TRAINING_OP.match(name):
                _patch(module, name, _wrap_training_op)


def _patch(owner: type | ModuleType, name: str, wrap: Any) -> None:
    method = vars(owner).get(name)
    # A separate mark: the divergence guard wraps some of these, too (`ddl.tensorflow.guard`).
    if not callable(method) or hasattr(method, "ddl_checks"):
        return
    wrapped = functools.wraps(method)(wrap(method))
    wrapped.ddl_checks = method
    setattr(owner, name, wrapped)


def _wrap_assign(assign: Method) -> Method:
    def check_and_assign(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not context.in_apply and not _program_reduces and _is_trained(self):
            _raise_in_optimizer(self)
        return assign(self, *args, **kwargs)

    return check_and_assign


def _wrap_training_op(op: Method) -> Method:
    def check_and_apply(*args: Any, **kwargs: Any) -> Any:
        allowed = context.in_apply or _program_reduces or tf.distribute.has_strategy()
        if not allowed and not any(hasattr(value, REDUCED) for value in (*args, *kwargs.values())):
            optimizer = _optimizer_of(sys._getframe(1))
            who = f"TensorFlow's op {op.__name__}" if optimizer is None else f"the optimizer {_name(optimizer)}"
            raise diverged_error(_message(who, "a variable"))
        return op(*args, **kwargs)

    return check_and_apply


def _is_trained(variable: Any) -> bool:
    """Whether a gradient has been computed from it; in a version 1 graph that is known only of reduced ones."""
    if tf.distribute.has_strategy():
        return False  # these variables belong to the strategy, which may change them in its own threads
    if tf.compat.v1.executing_eagerly_outside_functions():
        return hasattr(variable, MARK)
    return bool(variable.trainable)


def _raise_in_optimizer(variable: Any) -> None:
    optimizer = _optimizer_of(sys._getframe(2))
    if optimizer is not None:
        raise diverged_error(_message(f"the optimizer {_name(optimizer)}", variable.name))


def _optimizer_of(frame: FrameType | None) -> Any:
    """The optimizer of which one of a frame's callers is a method; None if there is none."""
    while frame is not None:
        code = frame.f_code
        if code.co_name.removeprefix("tf__") in _METHODS and code.co_argcount:  # autograph prefixes tf__
            owner = frame.f_locals.get(code.co_varnames[0])
            if hasattr(type(owner), "apply_gradients"):
                return owner
        frame = frame.f_back
    return None


def _name(optimizer: Any) -> str:
    return f"{type(optimizer).__module__}.{type(optimizer).__qualname__}"


def _message(who: str, what: str) -> str:
    return (
        f"ddl: {who} would change {what} by gradients of this rank alone: ddl did not average them. A custom "
        "optimizer must call super().apply_gradients (Keras 3: super().apply), or average its gradients: "
        "grads_and_vars = ddl.grads_reduce(grads_and_vars)"
    )

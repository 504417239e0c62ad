"""What makes the user's code stay as it is: Keras 3 classes that know about the other ranks.

* ``optimizer.apply``, which ``apply_gradients``, ``fit`` and custom loops all come to, averages gradients first.
* The variables that an optimizer is built for get rank 0's values at the next ``fit``, ``train_on_batch`` or ``apply``.
  Not when it is built: `load_model` and `evaluate` build optimizers, too, and are often called by one rank alone,
  which must not wait for the others.
* XLA is off: it cannot compile a call to MPI, and Keras turns it on by itself.

Limits. Variables that are not trainable (moving statistics of batch normalisation) are not in the optimizer: each rank
has its own, from its own data; checkpoints have rank 0's. And where nothing is traced (an eager loop of the user's own,
or ``run_eagerly`` with a model that does not know its input's shape), the first gradients are computed before any of
this can run, that is from each rank's own initial weights; from then on all weights are the same.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from ddl.communicator import Communicator
from ddl.reduction import bcast_variables, reduce_pairs, reduce_tensors

Method = Callable[..., Any]


# Optimizers that are built, and the variables of each, which still have this rank's own values.
_to_broadcast: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()


class _Here(threading.local):
    """Where this thread is."""

    in_apply = False


_here = _Here()


def install(ranks: Communicator) -> None:
    """Hook into Keras. A second call changes nothing.

    Raises:
        RuntimeError: Keras runs on something other than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(f"ddl: Keras must run on TensorFlow, not on {keras.backend.backend()}")
    optimizer, model = keras.optimizers.Optimizer, keras.Model
    _replace(optimizer, "build", _building)
    _replace(optimizer, "apply", functools.partial(_applying, ranks))
    # This one has its own apply, which skips the step where a gradient is not finite. It must look at the average, for
    # all ranks to decide the same. The apply of the optimizer inside it is then a call inside a call.
    _replace(keras.optimizers.LossScaleOptimizer, "apply", functools.partial(_applying, ranks))
    _replace(model, "fit", functools.partial(_fitting, ranks))
    _replace(model, "train_on_batch", functools.partial(_fitting, ranks))
    _definer(model, "jit_compile").jit_compile = property(lambda _: False, lambda _, __: None)


def _definer(cls: type, name: str) -> Any:
    """The class, ``cls`` or one that it inherits from, which defines ``name``: the same for all of Keras's models."""
    return next(base for base in cls.__mro__ if name in vars(base))


def _replace(cls: type, name: str, wrap: Callable[[Method], Method]) -> None:
    """Put ``wrap(method)`` in the place of a method, where it is defined, unless that has been done."""
    owner = _definer(cls, name)
    method = vars(owner)[name]
    if hasattr(method, "ddl_wraps"):
        return
    wrapped = functools.wraps(method)(tf.autograph.experimental.do_not_convert(wrap(method)))
    wrapped.ddl_wraps = method  # type: ignore[attr-defined]
    setattr(owner, name, wrapped)


def _broadcast_once(ranks: Communicator, optimizer: Any) -> None:
    """Give the optimizer's variables rank 0's values, unless they have had them. Collective.

    Variables that a tf.function makes while it is traced for the first time have no values yet. TensorFlow gives them
    some and then traces the function again, which brings us here again, before its first step is run.
    """
    variables = _to_broadcast.get(optimizer)
    if variables is not None and _have_values(variables):
        bcast_variables(ranks, variables)
        del _to_broadcast[optimizer]


def _have_values(variables: Sequence[Any]) -> bool:
    with tf.init_scope():
        plain = (v.value if isinstance(v, keras.Variable) else v for v in variables)
        return all(bool(tf.compat.v1.is_variable_initialized(v)) for v in plain)


def _building(build: Method) -> Method:
    def build_and_note(self: Any, variables: Sequence[Any]) -> None:
        _to_broadcast[self] = list(variables)
        build(self, variables)

    return build_and_note


def _applying(ranks: Communicator, apply: Method) -> Method:
    def average_and_apply(self: Any, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> Any:
        if _here.in_apply:
            return apply(self, grads, trainable_variables)
        if trainable_variables is None:  # then they are those that the optimizer was built for
            grads = reduce_tensors(ranks, list(grads), average=True)
        else:
            trainable_variables = list(trainable_variables)
            if not self.built:
                self.build(trainable_variables)
            pairs = reduce_pairs(ranks, list(zip(grads, trainable_variables, strict=True)), average=True)
            grads = [grad for grad, _ in pairs]
        _broadcast_once(ranks, self)
        _here.in_apply = True
        try:
            return apply(self, grads, trainable_variables)
        finally:
            _here.in_apply = False

    return average_and_apply


def _fitting(ranks: Communicator, fit: Method) -> Method:
    def broadcast_and_fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        optimizer = getattr(self, "optimizer", None)
        if optimizer is not None:
            if self.built and not optimizer.built:
                optimizer.build(self.trainable_variables)
            _broadcast_once(ranks, optimizer)
        return fit(self, *args, **kwargs)

    return broadcast_and_fit

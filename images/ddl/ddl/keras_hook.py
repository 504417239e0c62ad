"""What makes the user's code stay as it is: Keras classes that know about the other ranks. Keras 3's are here.

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
from collections.abc import Sequence
from typing import Any

import keras

from ddl import initial_values, keras2_hook
from ddl.communicator import Communicator
from ddl.reduction import reduce_pairs, reduce_tensors
from ddl.replacing import Method, definer, here, replace


def install(ranks: Communicator) -> None:
    """Hook into Keras. A second call changes nothing.

    Raises:
        RuntimeError: Keras runs on something other than TensorFlow.
    """
    if int(keras.__version__.partition(".")[0]) < 3:
        keras2_hook.install(ranks)
        return
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(f"ddl: Keras must run on TensorFlow, not on {keras.backend.backend()}")
    optimizer, model = keras.optimizers.Optimizer, keras.Model
    replace(optimizer, "build", _building)
    replace(optimizer, "apply", functools.partial(_applying, ranks))
    # This one has its own apply, which skips the step where a gradient is not finite. It must look at the average, for
    # all ranks to decide the same. The apply of the optimizer inside it is then a call inside a call.
    replace(keras.optimizers.LossScaleOptimizer, "apply", functools.partial(_applying, ranks))
    replace(model, "fit", functools.partial(_fitting, ranks))
    replace(model, "train_on_batch", functools.partial(_fitting, ranks))
    definer(model, "jit_compile").jit_compile = property(lambda _: False, lambda _, __: None)


def _building(build: Method) -> Method:
    def build_and_note(self: Any, variables: Sequence[Any]) -> None:
        initial_values.note(self, variables)
        build(self, variables)

    return build_and_note


def _applying(ranks: Communicator, apply: Method) -> Method:
    def average_and_apply(self: Any, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> Any:
        if here.in_apply:
            return apply(self, grads, trainable_variables)
        if trainable_variables is None:  # then they are those that the optimizer was built for
            grads = reduce_tensors(ranks, list(grads), average=True)
        else:
            trainable_variables = list(trainable_variables)
            if not self.built:
                self.build(trainable_variables)
            pairs = reduce_pairs(ranks, list(zip(grads, trainable_variables, strict=True)), average=True)
            grads = [grad for grad, _ in pairs]
        initial_values.broadcast_once(ranks, self)
        here.in_apply = True
        try:
            return apply(self, grads, trainable_variables)
        finally:
            here.in_apply = False

    return average_and_apply


def _fitting(ranks: Communicator, fit: Method) -> Method:
    def broadcast_and_fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        optimizer = getattr(self, "optimizer", None)
        if optimizer is not None:
            if self.built and not optimizer.built:
                optimizer.build(self.trainable_variables)
            initial_values.broadcast_once(ranks, optimizer)
        return fit(self, *args, **kwargs)

    return broadcast_and_fit

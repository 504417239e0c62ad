"""The hook in every optimizer: gradients are averaged first, and each step is reported afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ddl.engine import Engine
from ddl.import_hooks import catch_up
from ddl.steps import notify_step
from ddl.tensorflow.patching import Method, context, in_apply
from ddl.tensorflow.reduction import reduce_pairs
from ddl.tensorflow.scaling import check_learning_rate

Pairs = list[tuple[Any, Any]]


def wrap_apply_gradients(engine: Engine, apply: Method) -> Method:
    """Wrap an ``apply_gradients(grads_and_vars, …)``."""

    def average_and_apply(self: Any, grads_and_vars: Iterable[tuple[Any, Any]], *args: Any, **kwargs: Any) -> Any:
        if context.in_apply:
            return apply(self, grads_and_vars, *args, **kwargs)
        return _apply(engine, self, list(grads_and_vars), lambda averaged: apply(self, averaged, *args, **kwargs))

    return average_and_apply


def wrap_apply(engine: Engine, apply: Method) -> Method:
    """Wrap an ``apply(grads, trainable_variables=None)``, as in Keras 3."""

    def average_and_apply(self: Any, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> Any:
        if context.in_apply:
            return apply(self, grads, trainable_variables)
        # If omitted, the variables that the optimizer was built for.
        given = None if trainable_variables is None else list(trainable_variables)
        variables = list(self._trainable_variables) if given is None else given
        pairs = list(zip(grads, variables, strict=True))
        return _apply(engine, self, pairs, lambda averaged: apply(self, [grad for grad, _ in averaged], given))

    return average_and_apply


def _apply(engine: Engine, optimizer: Any, pairs: Pairs, apply: Any) -> Any:
    """Average and apply; an inner optimizer that this one calls gets averages."""
    catch_up()
    check_learning_rate(optimizer)
    with in_apply():
        averaged = reduce_pairs(engine, pairs, average=True)
        applied = apply(averaged)
    return notify_step(optimizer, [variable for _, variable in averaged], applied)

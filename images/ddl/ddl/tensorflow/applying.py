"""The hook in every optimizer: gradients are averaged on their way into it, and each step is reported afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ddl.engine import Engine
from ddl.imports import catch_up
from ddl.steps import stepped
from ddl.tensorflow.reduction import reduce_pairs
from ddl.tensorflow.replacing import Method, here, in_apply
from ddl.tensorflow.scaling import look_at_rate

Pairs = list[tuple[Any, Any]]


def average_pairs_first(engine: Engine, apply: Method) -> Method:
    """Around an ``apply_gradients(grads_and_vars, …)``."""

    def average_and_apply(self: Any, grads_and_vars: Iterable[tuple[Any, Any]], *args: Any, **kwargs: Any) -> Any:
        if here.in_apply:
            return apply(self, grads_and_vars, *args, **kwargs)
        return _apply(engine, self, list(grads_and_vars), lambda averaged: apply(self, averaged, *args, **kwargs))

    return average_and_apply


def average_gradients_first(engine: Engine, apply: Method) -> Method:
    """Around an ``apply(grads, trainable_variables=None)``, as Keras 3 has it."""

    def average_and_apply(self: Any, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> Any:
        if here.in_apply:
            return apply(self, grads, trainable_variables)
        # Without variables, those that the optimizer was built for.
        given = None if trainable_variables is None else list(trainable_variables)
        variables = list(self._trainable_variables) if given is None else given
        pairs = list(zip(grads, variables, strict=True))
        return _apply(engine, self, pairs, lambda averaged: apply(self, [grad for grad, _ in averaged], given))

    return average_and_apply


def _apply(engine: Engine, optimizer: Any, pairs: Pairs, apply: Any) -> Any:
    """Average, and hand on; an optimizer that this one calls in turn is given averages."""
    catch_up()
    look_at_rate(optimizer)
    with in_apply():
        averaged = reduce_pairs(engine, pairs, average=True)
        applied = apply(averaged)
    return stepped(optimizer, [variable for _, variable in averaged], applied)

"""Rank 0's values for every trainable variable, just before a gradient is first computed from it.

Not when a variable is made: rank 0 may load or evaluate a model by itself, which must not wait for the others. And not
in the optimizer: by then the first gradients have been computed, from weights that differed. A gradient tape watches
each trainable variable that is read: in an eager step, where Python or C++ does the reading; while a function is
traced; and when a traced function is called. For that it asks the variable for its `handle` before the value is read,
which is where this looks in. So it does not matter how a variable was made, or when, or by what. Where no tape is used
(``tf.gradients``), the reduction of the gradients sees to its variables.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable

from ddl import threads
from ddl.arrays import broadcast_arrays, reduce_arrays
from ddl.engine import Engine, EngineError
from ddl.imports import catch_up
from ddl.tensorflow import names
from ddl.tensorflow.replacing import in_apply

MARK = "_ddl_is_rank_0s"
"""What a variable has that a gradient has been computed from."""

told: list[Callable[[Any, np.ndarray], None]] = []
"""Called with each variable that gets rank 0's value before it is trained, and the value."""


def watch(engine: Engine) -> None:
    """Look in on TensorFlow's tapes from now on. A second call changes nothing."""
    ask = BaseResourceVariable.handle.fget
    if hasattr(ask, "ddl_wraps"):
        return

    def give_value_and_tell(self: Any) -> Any:
        mark = getattr(self, MARK, None)
        if isinstance(mark, str):
            raise EngineError(mark)
        if mark is None and not pywrap_tfe.TFE_Py_TapeSetIsEmpty() and self.trainable:
            # Not yet: who asks first is TensorFlow's C++, which has no way to pass an exception on.
            with contextlib.suppress(EngineError):
                give_values_once(engine, [self])
        return ask(self)

    give_value_and_tell.ddl_wraps = ask  # type: ignore[attr-defined]
    BaseResourceVariable.handle = property(give_value_and_tell, doc=ask.__doc__)


def give_values_once(engine: Engine, variables: Iterable[Any]) -> None:
    """Give variables rank 0's values, unless they have had them. Collective, for those that have not.

    Variables that a tf.function makes while it is traced for the first time have no values yet. TensorFlow gives them
    some and then traces the function again, which brings us here again, before its first step is run.

    Raises:
        EngineError: ranks differ about a variable, which raises that itself from now on, whatever is done with it.
    """
    for variable in map(names.plain, variables):
        if hasattr(variable, MARK):
            continue
        catch_up()
        setattr(variable, MARK, True)  # first: what follows asks for its handle, too
        if not _has_value(variable):
            delattr(variable, MARK)
            continue
        try:
            (given,) = give_values(engine, f"value of {names.of_variable(variable)}", [variable])
        except EngineError as error:
            setattr(variable, MARK, f"{error} (here it is {variable.name})")
            raise
        for tell in told:
            tell(variable, given)


def give_values(engine: Engine, name: str, variables: Sequence[Any]) -> list[np.ndarray]:
    """Give variables rank 0's values, now: also when called while a tf.function is being traced. Collective.

    Args:
        name: what the ranks know this by.
        variables: of the same shapes and dtypes in the same order on every rank.
    Returns:
        The values.
    """
    variables = [names.plain(variable) for variable in variables]
    if not variables:
        return []
    with tf.init_scope(), in_apply():
        values = [np.asarray(variable.read_value().numpy()) for variable in variables]
        given = broadcast_arrays(engine, name, values)
        for variable, value in zip(variables, given, strict=True):
            variable.assign(value)
    return given


def average_values(engine: Engine, variables: Sequence[Any]) -> None:
    """Give variables the average of all ranks' values, now. Collective."""
    variables = [names.plain(variable) for variable in variables]
    with tf.init_scope(), in_apply():
        values = [np.asarray(variable.read_value().numpy()) for variable in variables]
        averages = reduce_arrays(engine, threads.key(f"average of {len(values)} variables"), values, average=True)
        for variable, average in zip(variables, averages, strict=True):
            variable.assign(average)


def _has_value(variable: Any) -> bool:
    """Whether it holds a value now; one of a version 1 graph holds it in a session, see `ddl.tensorflow.sessions`."""
    with tf.init_scope():
        if not tf.executing_eagerly() or not tf.is_tensor(getattr(variable, "handle", None)):
            return False
        return bool(variable.is_initialized())

"""Broadcasts rank 0's value of every trainable variable, just before a gradient is first computed from it.

Not when a variable is created: rank 0 may load or evaluate a model by itself, which must not wait for the others. And
not in the optimizer: by then the first gradients have been computed, from weights that differed. A gradient tape
watches each trainable variable that is read: in an eager step, whether Python or C++ reads it; while a function is
traced; and when a traced function is called. For that it asks the variable for its `handle` before the value is read,
which is where this hooks in. So it does not matter how a variable was created, or when, or by what. If no tape is used
(``tf.gradients``), the reduction of the gradients takes care of its variables.
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
from ddl.import_hooks import catch_up
from ddl.tensorflow import names
from ddl.tensorflow.patching import in_apply

MARK = "_ddl_is_rank_0s"
"""Attribute of a variable from which a gradient has been computed."""

listeners: list[Callable[[Any, np.ndarray], None]] = []
"""Called with each variable that is initialised from rank 0 before it is trained, and the value."""


def install(engine: Engine) -> None:
    """Hook into the variables' handles. A second call changes nothing."""
    read_handle = BaseResourceVariable.handle.fget
    if hasattr(read_handle, "ddl_wraps"):
        return

    def broadcast_and_read(self: Any) -> Any:
        mark = getattr(self, MARK, None)
        if isinstance(mark, str):
            raise EngineError(mark)
        if mark is None and not pywrap_tfe.TFE_Py_TapeSetIsEmpty() and self.trainable:
            # Not raised yet: the first caller is TensorFlow's C++, which cannot propagate an exception.
            with contextlib.suppress(EngineError):
                broadcast_initial_values(engine, [self])
        return read_handle(self)

    broadcast_and_read.ddl_wraps = read_handle  # type: ignore[attr-defined]
    BaseResourceVariable.handle = property(broadcast_and_read, doc=read_handle.__doc__)


def broadcast_initial_values(engine: Engine, variables: Iterable[Any]) -> None:
    """Broadcast rank 0's values to variables that have not had them yet. Collective, for those.

    Variables that a tf.function creates while it is traced for the first time have no values yet. TensorFlow
    initialises them and then traces the function again, which calls this again, before its first step is run.

    Raises:
        EngineError: ranks differ about a variable, which raises that itself from now on, whenever it is used.
    """
    for variable in map(names.unwrap, variables):
        if hasattr(variable, MARK):
            continue
        catch_up()
        setattr(variable, MARK, True)  # first: what follows accesses its handle, too
        if not _has_value(variable):
            delattr(variable, MARK)
            continue
        try:
            (broadcast_value,) = broadcast_values(engine, f"value of {names.of_variable(variable)}", [variable])
        except EngineError as error:
            setattr(variable, MARK, f"{error} ({variable.name} on this rank)")
            raise
        for listener in listeners:
            listener(variable, broadcast_value)


def broadcast_values(engine: Engine, name: str, variables: Sequence[Any]) -> list[np.ndarray]:
    """Broadcast rank 0's values to variables, now: also if called while a tf.function is being traced. Collective.

    Args:
        name: identifies this across ranks.
        variables: of the same shapes and dtypes in the same order on every rank.
    Returns:
        The values.
    """
    variables = [names.unwrap(variable) for variable in variables]
    if not variables:
        return []
    with tf.init_scope(), in_apply():
        values = [np.asarray(variable.read_value().numpy()) for variable in variables]
        broadcast_value = broadcast_arrays(engine, name, values)
        for variable, value in zip(variables, broadcast_value, strict=True):
            variable.assign(value)
    return broadcast_value


def average_values(engine: Engine, variables: Sequence[Any]) -> None:
    """Set variables to the average of all ranks' values, now. Collective."""
    variables = [names.unwrap(variable) for variable in variables]
    with tf.init_scope(), in_apply():
        values = [np.asarray(variable.read_value().numpy()) for variable in variables]
        averages = reduce_arrays(engine, threads.key(f"average of {len(values)} variables"), values, average=True)
        for variable, average in zip(variables, averages, strict=True):
            variable.assign(average)


def _has_value(variable: Any) -> bool:
    """Whether it has a value now; one of a version 1 graph has it in a session, see `ddl.tensorflow.sessions`."""
    with tf.init_scope():
        if not tf.executing_eagerly() or not tf.is_tensor(getattr(variable, "handle", None)):
            return False
        return bool(variable.is_initialized())

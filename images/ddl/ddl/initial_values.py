"""Rank 0's initial values for the variables of an optimizer, once, before its first step."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ddl.communicator import Communicator
from ddl.reduction import bcast_variables

# Optimizers with the variables of each which still have this rank's own values; None once they have rank 0's.
_variables: weakref.WeakKeyDictionary[Any, list[Any] | None] = weakref.WeakKeyDictionary()


def note(optimizer: Any, variables: Sequence[Any]) -> None:
    """Remember the variables that an optimizer is built for."""
    _variables[optimizer] = list(variables)


def note_first(optimizer: Any, variables: Sequence[Any]) -> None:
    """The same, for an optimizer that may have been built before: the variables of its first step count."""
    if optimizer not in _variables:
        note(optimizer, variables)


def broadcast_once(ranks: Communicator, optimizer: Any) -> None:
    """Give the optimizer's variables rank 0's values, unless they have had them. Collective.

    Variables that a tf.function makes while it is traced for the first time have no values yet. TensorFlow gives them
    some and then traces the function again, which brings us here again, before its first step is run.
    """
    variables = _variables.get(optimizer)
    if variables is not None and _have_values(variables):
        bcast_variables(ranks, variables)
        _variables[optimizer] = None


def _have_values(variables: Sequence[Any]) -> bool:
    own = getattr(keras, "Variable", ())  # Keras 3's, around TensorFlow's
    with tf.init_scope():
        plain = (v.value if isinstance(v, own) else v for v in variables)
        return all(bool(tf.compat.v1.is_variable_initialized(v)) for v in plain)

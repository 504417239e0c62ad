"""Rank 0's values for the trainable variables of a version 1 graph: in each session, before its first training step.

Not in the variables' initialisers: a rank that restores a checkpoint does not run them. So ops that give the variables
rank 0's values are put beside the first reduction of gradients, as a graph may be finished soon after; and a session
runs them before the first `run` whose fetches need a reduction. What one rank runs for itself needs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from ddl.tensorflow import names, ops
from ddl.tensorflow.replacing import Method, replace

_OF_GRAPH, _OF_SESSION = "_ddl_arrangement", "_ddl_given"


@dataclass
class _Arrangement:
    """What there is to do in a graph.

    Attributes:
        reductions: the ops that make a step a training step.
        gifts: by variable's name, the ops that tell whether it has a value, and that give it rank 0's.
    """

    reductions: set[tf.Operation] = field(default_factory=set)
    gifts: dict[str, tuple[tf.Tensor, tf.Operation]] = field(default_factory=dict)


def install() -> None:
    """Have sessions do what is arranged. A second call changes nothing."""
    replace(tf.compat.v1.Session, "run", _running)


def arrange(variables: Sequence[Any]) -> None:
    """Have every trainable variable of the current graph, and these, get rank 0's value before the first step."""
    arrangement = _of(tf.compat.v1.get_default_graph())
    with tf.control_dependencies(None), tf.name_scope("ddl/"):
        for variable in (*tf.compat.v1.trainable_variables(), *variables):
            if variable.name not in arrangement.gifts:
                value = ops.broadcast(variable.read_value(), f"value of {names.of_variable(variable)}")
                given = tf.compat.v1.assign(variable, value).op
                arrangement.gifts[variable.name] = (tf.compat.v1.is_variable_initialized(variable), given)


def note_reductions(reduced: Iterable[tf.Tensor]) -> None:
    """What needs one of these is a training step."""
    if not tf.compat.v1.executing_eagerly_outside_functions():
        _of(tf.compat.v1.get_default_graph()).reductions |= {tensor.op for tensor in reduced}


def _of(graph: tf.Graph) -> _Arrangement:
    if not hasattr(graph, _OF_GRAPH):
        setattr(graph, _OF_GRAPH, _Arrangement())
    arrangement: _Arrangement = getattr(graph, _OF_GRAPH)
    return arrangement


def _running(run: Method) -> Method:
    def give_values_and_run(self: Any, fetches: Any, *args: Any, **kwargs: Any) -> Any:
        arrangement = getattr(self.graph, _OF_GRAPH, None)
        if arrangement is not None:
            given = self.__dict__.setdefault(_OF_SESSION, set())
            waiting = {name: gift for name, gift in arrangement.gifts.items() if name not in given}
            if waiting and not arrangement.reductions.isdisjoint(_needed_by(fetches, self.graph)):
                has_value = run(self, {name: test for name, (test, _) in waiting.items()})
                ready = [name for name in waiting if has_value[name]]
                run(self, [waiting[name][1] for name in ready])
                given |= set(ready)
        return run(self, fetches, *args, **kwargs)

    return give_values_and_run


def _needed_by(fetches: Any, graph: tf.Graph) -> Iterator[tf.Operation]:
    """All ops that fetches need, those fetched included."""
    waiting = list(_ops_of(fetches, graph))
    seen = set(waiting)
    while waiting:
        op = waiting.pop()
        yield op
        new = {tensor.op for tensor in op.inputs} | set(op.control_inputs)
        waiting += new - seen
        seen |= new


def _ops_of(fetches: Any, graph: tf.Graph) -> Iterator[tf.Operation]:
    for fetch in tf.nest.flatten(fetches, expand_composites=True):
        try:
            element = graph.as_graph_element(fetch, allow_tensor=True, allow_operation=True)
        except (TypeError, ValueError, KeyError):
            continue  # the session itself says what is wrong with it
        yield element if isinstance(element, tf.Operation) else element.op

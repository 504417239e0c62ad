"""Rank 0's values for the trainable variables of a version 1 graph: in each session, before its first training step.

Not in the variables' initialisers: a rank that restores a checkpoint does not run them. So ops that broadcast the
variables' values are added beside the first reduction of gradients, as a graph may be finalised soon after; and a
session runs them before the first `run` whose fetches need a reduction. A `run` of a single rank's own needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import tensorflow as tf

from ddl.tensorflow import names, ops
from ddl.tensorflow.patching import Method, patch

_OF_GRAPH, _OF_SESSION = "_ddl_arrangement", "_ddl_given"


class RunListener(Protocol):
    """Is told of a session's runs. `run` is the session's original method."""

    def after_run(self, run: Callable[..., Any], session: Any) -> None:
        """A session has run a step."""

    def before_other_run(self, assigns: bool, session: Any) -> None:
        """A session is about to run something else, which may assign variables."""

    def before_close(self, run: Callable[..., Any], session: Any) -> None:
        """A session ends."""


@dataclass
class _GraphState:
    """What to do in a graph.

    Attributes:
        reductions: the ops that make a step a training step.
        broadcasts: by variable's name, the op that tells whether it has a value, and the one that broadcasts rank 0's.
        listeners: by the op that applies the gradients of a step, who is told of it.
        listeners_by_fetches: by what a program fetches, who is told, and whether it assigns variables.
    """

    reductions: set[tf.Operation] = field(default_factory=set)
    broadcasts: dict[str, tuple[tf.Tensor, tf.Operation]] = field(default_factory=dict)
    listeners: dict[tf.Operation, RunListener] = field(default_factory=dict)
    listeners_by_fetches: dict[tuple[str, ...], tuple[list[RunListener], bool]] = field(default_factory=dict)


def install() -> None:
    """Hook into sessions. A second call changes nothing."""
    patch(tf.compat.v1.Session, "run", _wrap_run)
    patch(tf.compat.v1.Session, "close", _wrap_close)


def register_variables(variables: Sequence[Any]) -> None:
    """Give every trainable variable of the current graph, and these, rank 0's value before the first step."""
    state = _state_of(tf.compat.v1.get_default_graph())
    with tf.control_dependencies(None), tf.name_scope("ddl/"):
        for variable in (*tf.compat.v1.trainable_variables(), *variables):
            if variable.name not in state.broadcasts:
                value = ops.broadcast(variable.read_value(), f"value of {names.of_variable(variable)}")
                done = tf.compat.v1.assign(variable, value).op
                state.broadcasts[variable.name] = (tf.compat.v1.is_variable_initialized(variable), done)


def note_reductions(reduced: Iterable[tf.Tensor]) -> None:
    """Whatever needs one of these tensors is a training step."""
    if not tf.compat.v1.executing_eagerly_outside_functions():
        _state_of(tf.compat.v1.get_default_graph()).reductions |= {tensor.op for tensor in reduced}


def add_listener(applied: Any, listener: RunListener) -> None:
    """Report every run of a session that executes this op."""
    state = _state_of(applied.graph)
    state.listeners[applied if isinstance(applied, tf.Operation) else applied.op] = listener
    state.listeners_by_fetches.clear()


def _state_of(graph: tf.Graph) -> _GraphState:
    if not hasattr(graph, _OF_GRAPH):
        setattr(graph, _OF_GRAPH, _GraphState())
    state: _GraphState = getattr(graph, _OF_GRAPH)
    return state


def _wrap_run(run: Method) -> Method:
    def broadcast_and_run(self: Any, fetches: Any, *args: Any, **kwargs: Any) -> Any:
        state = getattr(self.graph, _OF_GRAPH, None)
        listeners: list[RunListener] = []
        if state is not None:
            listeners, assigns = _listeners_of(state, fetches, self.graph)
            for one in state.listeners.values():
                if one not in listeners:
                    one.before_other_run(assigns, self)
            done = self.__dict__.setdefault(_OF_SESSION, set())
            pending = {name: broadcast for name, broadcast in state.broadcasts.items() if name not in done}
            if pending and not state.reductions.isdisjoint(_ancestors(fetches, self.graph)):
                has_value = run(self, {name: test for name, (test, _) in pending.items()})
                ready = [name for name in pending if has_value[name]]
                run(self, [pending[name][1] for name in ready])
                done |= set(ready)
        result = run(self, fetches, *args, **kwargs)
        for one in listeners:
            one.after_run(run, self)
        return result

    return broadcast_and_run


def _wrap_close(close: Method) -> Method:
    def notify_and_close(self: Any) -> None:
        state = getattr(self.graph, _OF_GRAPH, None)
        if state is not None:
            for one in state.listeners.values():
                one.before_close(tf.compat.v1.Session.run.ddl_wraps, self)
        close(self)

    return notify_and_close


def _listeners_of(state: _GraphState, fetches: Any, graph: tf.Graph) -> tuple[list[RunListener], bool]:
    """The listeners of a run, and whether it assigns variables. Computed once for each set of fetches."""
    if not state.listeners:
        return [], False
    key = tuple(op.name for op in _ops_of(fetches, graph))
    if key not in state.listeners_by_fetches:
        needed = list(_ancestors(fetches, graph))
        listeners = [state.listeners[op] for op in needed if op in state.listeners]
        state.listeners_by_fetches[key] = listeners, any(op.type.startswith(("Assign", "Restore")) for op in needed)
    return state.listeners_by_fetches[key]


def _ancestors(fetches: Any, graph: tf.Graph) -> Iterator[tf.Operation]:
    """All ops that the fetches need, including those fetched."""
    pending = list(_ops_of(fetches, graph))
    seen = set(pending)
    while pending:
        op = pending.pop()
        yield op
        new = {tensor.op for tensor in op.inputs} | set(op.control_inputs)
        pending += new - seen
        seen |= new


def _ops_of(fetches: Any, graph: tf.Graph) -> Iterator[tf.Operation]:
    for fetch in tf.nest.flatten(fetches, expand_composites=True):
        try:
            element = graph.as_graph_element(fetch, allow_tensor=True, allow_operation=True)
        except (TypeError, ValueError, KeyError):
            continue  # the session itself reports what is wrong with it
        yield element if isinstance(element, tf.Operation) else element.op

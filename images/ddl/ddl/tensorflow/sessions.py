"""Rank 0's values for the trainable variables of a version 1 graph: in each session, before its first training step.

Not in the variables' initialisers: a rank that restores a checkpoint does not run them. So ops that give the variables
rank 0's values are put beside the first reduction of gradients, as a graph may be finished soon after; and a session
runs them before the first `run` whose fetches need a reduction. What one rank runs for itself needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import tensorflow as tf

from ddl.tensorflow import names, ops
from ddl.tensorflow.replacing import Method, replace

_OF_GRAPH, _OF_SESSION = "_ddl_arrangement", "_ddl_given"


class AfterRun(Protocol):
    """What is to be told of a session's runs. `run` is the session's own method."""

    def after_run(self, run: Callable[..., Any], session: Any) -> None:
        """A session has run a step."""

    def before_other_run(self, assigns: bool, session: Any) -> None:
        """A session is about to run something else, which may assign variables."""

    def before_close(self, run: Callable[..., Any], session: Any) -> None:
        """A session ends."""


@dataclass
class _Arrangement:
    """What there is to do in a graph.

    Attributes:
        reductions: the ops that make a step a training step.
        gifts: by variable's name, the ops that tell whether it has a value, and that give it rank 0's.
        told: by the op that applies the gradients of a step, who is told of it.
        fetched: by what a program fetches, whom that is to be told, and whether it assigns variables.
    """

    reductions: set[tf.Operation] = field(default_factory=set)
    gifts: dict[str, tuple[tf.Tensor, tf.Operation]] = field(default_factory=dict)
    told: dict[tf.Operation, AfterRun] = field(default_factory=dict)
    fetched: dict[tuple[str, ...], tuple[list[AfterRun], bool]] = field(default_factory=dict)


def install() -> None:
    """Have sessions do what is arranged. A second call changes nothing."""
    replace(tf.compat.v1.Session, "run", _running)
    replace(tf.compat.v1.Session, "close", _closing)


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


def call_after(applied: Any, told: AfterRun) -> None:
    """Tell of every run of a session that executes this op."""
    arrangement = _of(applied.graph)
    arrangement.told[applied if isinstance(applied, tf.Operation) else applied.op] = told
    arrangement.fetched.clear()


def _of(graph: tf.Graph) -> _Arrangement:
    if not hasattr(graph, _OF_GRAPH):
        setattr(graph, _OF_GRAPH, _Arrangement())
    arrangement: _Arrangement = getattr(graph, _OF_GRAPH)
    return arrangement


def _running(run: Method) -> Method:
    def give_values_and_run(self: Any, fetches: Any, *args: Any, **kwargs: Any) -> Any:
        arrangement = getattr(self.graph, _OF_GRAPH, None)
        told: list[AfterRun] = []
        if arrangement is not None:
            told, assigns = _whom_to_tell(arrangement, fetches, self.graph)
            for one in arrangement.told.values():
                if one not in told:
                    one.before_other_run(assigns, self)
            given = self.__dict__.setdefault(_OF_SESSION, set())
            waiting = {name: gift for name, gift in arrangement.gifts.items() if name not in given}
            if waiting and not arrangement.reductions.isdisjoint(_needed_by(fetches, self.graph)):
                has_value = run(self, {name: test for name, (test, _) in waiting.items()})
                ready = [name for name in waiting if has_value[name]]
                run(self, [waiting[name][1] for name in ready])
                given |= set(ready)
        result = run(self, fetches, *args, **kwargs)
        for one in told:
            one.after_run(run, self)
        return result

    return give_values_and_run


def _closing(close: Method) -> Method:
    def tell_and_close(self: Any) -> None:
        arrangement = getattr(self.graph, _OF_GRAPH, None)
        if arrangement is not None:
            for one in arrangement.told.values():
                one.before_close(tf.compat.v1.Session.run.ddl_wraps, self)
        close(self)

    return tell_and_close


def _whom_to_tell(arrangement: _Arrangement, fetches: Any, graph: tf.Graph) -> tuple[list[AfterRun], bool]:
    """Who is to be told of a run, and whether it assigns variables. Found once for each set of fetches."""
    if not arrangement.told:
        return [], False
    key = tuple(op.name for op in _ops_of(fetches, graph))
    if key not in arrangement.fetched:
        needed = list(_needed_by(fetches, graph))
        told = [arrangement.told[op] for op in needed if op in arrangement.told]
        arrangement.fetched[key] = told, any(op.type.startswith(("Assign", "Restore")) for op in needed)
    return arrangement.fetched[key]


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

"""The divergence guard on TensorFlow: when a step is over, and the variables' values.

In an eager step Python counts and compares. In a ``tf.function`` an op after the assignments counts, and calls Python
when a comparison is due: apart from that a step costs only that op. In a version 1 graph nothing is added, as a graph
may be saved and run elsewhere: `ddl.tensorflow.sessions` reports each step that a session has run.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable, ResourceVariable

from ddl import steps
from ddl.engine import digest
from ddl.guard.names import is_excluded
from ddl.guard.process import Guard
from ddl.guard.unsynchronised import UnsynchronisedDetector
from ddl.guard.weights import Final, Value, Variable, Weights, digests_of, sample_of
from ddl.tensorflow import names, ops, sessions, variables
from ddl.tensorflow.patching import Method, context, patch

_ASSIGN = ("assign", "assign_add", "assign_sub", "_restore_from_tensors")
_OF_VARIABLE, _TRAINED_BY, _EXCLUDED = "_ddl_guarded", "_ddl_guard_told", "_ddl_guard_excluded"


def install(guard: Guard) -> None:
    """Guard what optimizers train from now on. A second call changes nothing."""
    if _broadcast_variables:
        return
    _broadcast_variables.append(BroadcastVariables(guard))
    guard.add(_broadcast_variables[0])
    guard.engine.set_comparison(_compare)
    variables.listeners.append(_broadcast_variables[0].record)
    steps.register(functools.partial(_after_step, guard))
    if guard.here.rank == 0:
        for kind, name in itertools.product((ResourceVariable, BaseResourceVariable), _ASSIGN):
            with suppress(StopIteration):  # does not exist in every version
                patch(kind, name, _wrap_assign)


def exclude(variable: Any) -> None:
    """Mark a variable as meant to differ."""
    setattr(names.unwrap(variable), _EXCLUDED, True)


def _is_excluded(variable: Any) -> bool:
    return hasattr(variable, _EXCLUDED) or is_excluded(names.display_name(variable))


@tf.autograph.experimental.do_not_convert
def _after_step(guard: Guard, _: Any, trained: Sequence[Any], applied: Any) -> None:
    every = [*map(names.unwrap, trained)]
    guarded = [one for one in every if not _is_excluded(one)]
    if not guarded:
        return
    name = _name_of(every)
    if not tf.compat.v1.executing_eagerly_outside_functions():
        if applied is not None and not tf.inside_function():
            sessions.add_listener(applied, _OfGraph(guard, name, guarded))
        return
    weights = _weights_of(guard, name, guarded)
    if tf.executing_eagerly():
        weights.eager_step()
    else:
        weights.count_in_function()


def _compare(key: int, steps: int) -> None:
    """A function has taken a step of the weights with this key, and a comparison is due."""
    if weights := _counted.get(key):
        weights.compare(steps)


def _weights_of(guard: Guard, name: str, variables: Sequence[Any]) -> Trained:
    """These variables' weights, which live as long as the first of them: one optimizer's are always the same."""
    known: dict[str, Trained] = vars(variables[0]).setdefault(_OF_VARIABLE, {})
    if name not in known:
        known[name] = Trained(guard, name, variables)
        guard.add(known[name])
    return known[name]


def _name_of(variables: Sequence[Any]) -> str:
    """The name of an optimizer's variables as a whole, including excluded ones: the same on every rank."""
    every = [names.of_variable(variable) for variable in variables]
    more = f" and {len(every) - 1} more" if len(every) > 1 else ""
    return f"weights {every[0]}{more} [{hashlib.sha256(chr(10).join(every).encode()).hexdigest()[:8]}]"


def _about(variable: Any) -> Variable:
    shape = tuple(-1 if size is None else size for size in variable.shape)
    return Variable(names.of_variable(variable), shape, variable.dtype.base_dtype.name, names.display_name(variable))


def _value(array: Any) -> Value:
    memory = np.ascontiguousarray(array)
    return Value(memory, lambda: _comparable(memory))


def _comparable(array: np.ndarray) -> np.ndarray:
    kept = array.dtype.kind == "c" or array.dtype.name in ("float32", "float64")
    return array if kept else array.astype(np.float32)


class Trained(Weights):
    """Variables that an optimizer trains, eagerly or in functions.

    A program may release a model before it ends. The variables' handles are held until then, so that their last values
    can be digested when they are released.
    """

    def __init__(self, guard: Guard, name: str, variables: Sequence[Any]) -> None:
        super().__init__(name, [_about(variable) for variable in variables])
        self._guard, self._key, self._touched_at = guard, next(_keys), -1
        _counted[self._key] = self
        self._last: Final | None = None
        self._handles = [(variable.handle, variable.dtype.base_dtype) for variable in variables]
        self._references = [weakref.ref(variable, self._on_release) for variable in variables]
        for variable in variables:
            vars(variable).setdefault(_TRAINED_BY, []).append(weakref.ref(self))

    @property
    def steps(self) -> int:
        """Number of steps taken so far."""
        return self._guard.engine.count_guard_steps(self._key)

    def touch(self) -> None:
        """The program has assigned one of the variables."""
        self._touched_at = self.steps

    def changed_by_program(self) -> bool:
        return self._touched_at == self.steps

    def eager_step(self) -> None:
        """A step has been taken."""
        steps = self._guard.engine.count_guard_steps(self._key, 1)
        if self._guard.is_due(steps):
            self.compare(steps)

    def count_in_function(self) -> None:
        """Make the function that is being traced count its steps, and compare when due."""
        ops.guard_step([handle for handle, _ in self._handles], self._key, self._guard.settings.interval)

    def compare(self, steps: int) -> None:
        """Compare the current values, after this number of steps; see `ddl.guard.process.Guard.check`."""
        self._guard.check(self, steps, self._values())

    def _values(self) -> list[Value]:
        with tf.init_scope():
            return [_value(tf.raw_ops.ReadVariableOp(resource=h, dtype=t).numpy()) for h, t in self._handles]

    def final(self) -> Final | None:
        taken = self.steps if self._last is None else self._last.steps
        if not taken:
            return None
        if self._last is None:
            values = self._values()
            self._last = Final(taken, digests_of(values), values)
        return self._last

    def _on_release(self, _: Any) -> None:
        """The program releases a variable: its current value is its last one."""
        if self._last is not None or not self._handles:
            return
        handles, last = self._handles, None
        with suppress(Exception):  # may fail while Python shuts down
            last = self.final()
        self._handles = []
        del handles
        if last is not None:
            samples = [sample_of(value) for value in last.values]
            self._last = Final(last.steps, last.digests, samples, complete=False)


def _wrap_assign(assign: Method) -> Method:
    def record_and_assign(self: Any, *args: Any, **kwargs: Any) -> Any:
        references = vars(self).get(_TRAINED_BY)
        if references and not context.in_apply and tf.executing_eagerly():
            for reference in references:
                if (weights := reference()) is not None:
                    weights.touch()
        return assign(self, *args, **kwargs)

    return record_and_assign


class _OfGraph:
    """Variables that an optimizer trains in a version 1 graph: each session has its own."""

    def __init__(self, guard: Guard, name: str, variables: Sequence[Any]) -> None:
        self._guard, self._name = guard, name
        self._about = [_about(variable) for variable in variables]
        with tf.control_dependencies(None), tf.name_scope("ddl/"):
            self._reads = [variable.read_value() for variable in variables]
        self._of_session: weakref.WeakKeyDictionary[Any, _InSession] = weakref.WeakKeyDictionary()
        self._sessions = 0

    def after_run(self, run: Callable[..., Any], session: Any) -> None:
        """A session has taken a step."""
        weights = self._of_session.get(session)
        if weights is None:
            self._sessions += 1
            name = self._name if self._sessions == 1 else f"{self._name} in session {self._sessions}"
            weights = self._of_session[session] = _InSession(name, self._about)
            weights.read_final = functools.partial(self._last_values, weakref.ref(session))
            self._guard.add(weights)
        weights.steps += 1
        weights.touched = False
        if self._guard.is_due(weights.steps):
            self._guard.check(weights, weights.steps, self._read(run, session))

    def before_other_run(self, assigns: bool, session: Any) -> None:
        """A session is about to run something else."""
        if assigns and session in self._of_session:
            self._of_session[session].touched = True

    def before_close(self, run: Callable[..., Any], session: Any) -> None:
        """A session ends: its current values are the last."""
        weights = self._of_session.get(session)
        if weights is not None and weights.last is None:
            with suppress(Exception):  # a failed session has no values
                values = self._read(run, session)
                weights.last = Final(
                    weights.steps, digests_of(values), [sample_of(one) for one in values], complete=False
                )

    def _last_values(self, reference: weakref.ref[Any]) -> None:
        session = reference()
        if session is not None:
            self.before_close(tf.compat.v1.Session.run.ddl_wraps, session)

    def _read(self, run: Callable[..., Any], session: Any) -> list[Value]:
        return [_value(value) for value in run(session, self._reads)]


class _InSession(Weights):
    def __init__(self, name: str, variables: Sequence[Variable]) -> None:
        super().__init__(name, variables)
        self.steps, self.touched = 0, False
        self.last: Final | None = None
        self.read_final: Callable[[], None] = lambda: None

    def final(self) -> Final | None:
        self.read_final()
        return self.last

    def changed_by_program(self) -> bool:
        return self.touched


class BroadcastVariables(Weights):
    """Variables that were initialised from rank 0. They matter if this rank has never reduced anything: see
    `UnsynchronisedDetector`.
    """

    def __init__(self, guard: Guard) -> None:
        super().__init__("variables", ())
        self._guard, self._references = guard, dict[str, weakref.ref[Any]]()
        self._detector = UnsynchronisedDetector(guard, self._read_digests)

    def record(self, variable: Any, value: np.ndarray) -> None:
        """One of them was initialised."""
        if self._guard.engine.reductions or _is_excluded(variable):
            return
        memory = np.ascontiguousarray(value)
        name = names.of_variable(variable)
        self._references[name] = weakref.ref(variable)
        self._detector.track(name, digest(memory.ctypes.data, memory.nbytes))

    def _read_digests(self) -> Mapping[str, int]:
        found = self._alive()
        values = [_value(variable.read_value().numpy()) for variable in found.values()]
        return dict(zip(found, digests_of(values), strict=True))

    def _alive(self) -> dict[str, Any]:
        return {name: one for name in sorted(self._references) if (one := self._references[name]()) is not None}

    def final(self) -> Final | None:
        if self._guard.engine.reductions:
            return None
        found = self._alive()
        self.variables = tuple(_about(variable) for variable in found.values())
        values = [_value(variable.read_value().numpy()) for variable in found.values()]
        return Final(0, digests_of(values), values) if values else None


_broadcast_variables: list[BroadcastVariables] = []
_counted: weakref.WeakValueDictionary[int, Trained] = weakref.WeakValueDictionary()
_keys = itertools.count(int.from_bytes(os.urandom(3), "little"))
"""A graph saved by another program has keys of its own, so this program's keys start at a random number."""

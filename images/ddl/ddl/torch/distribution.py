"""Training a model on all ranks: starts from rank 0's weights; gradients are averaged while they are computed."""

from __future__ import annotations

import functools
import inspect
import itertools
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from ddl import threads
from ddl.engine import Engine, EngineError
from ddl.learning_rate import warn_if_unscaled
from ddl.session import engine
from ddl.torch import guard
from ddl.torch.reduction import Pending, dense, start_broadcast, start_reduction

_models = itertools.count(1)
_averagings: weakref.WeakSet[_Averaging] = weakref.WeakSet()


def _next_model() -> str:
    """The name of the next model: by its number, as all ranks create them in the same order.

    Raises:
        EngineError: they come from two threads, in an order that depends on scheduling.
    """
    race = threads.race("models")
    if race is not None:
        raise EngineError(f"ddl: models are created by {race} in an undefined order: create them in one thread")
    return f"model {next(_models)}"


def broadcast(model: torch.nn.Module, optimizer: torch.optim.Optimizer | None = None) -> None:
    """Broadcast a model's parameters and buffers, and an optimizer's state, from rank 0. Collective.

    Also for a start from a checkpoint that only rank 0 has read. With one rank, nothing is done.

    Raises:
        RuntimeError: there are several ranks, and `ddl` is not initialised.
    """
    ranks = engine()
    if ranks is None:
        return
    number = _next_model()
    tensors = dict(itertools.chain(model.named_parameters(), model.named_buffers()))
    pending = [start_broadcast(ranks, f"value of {name} of {number}", [tensor]) for name, tensor in tensors.items()]
    for one in pending:
        one.wait()
    if optimizer is not None:
        _broadcast_state(optimizer)


def _broadcast_state(optimizer: torch.optim.Optimizer) -> None:
    """The whole state as one object: new ranks have none yet, while rank 0 may have read some."""
    from ddl.api import bcast

    optimizer.load_state_dict(bcast(optimizer.state_dict()))


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace the gradients of parameters by their average over all ranks, now. Collective.

    Between ``backward()`` and ``step()``, for programs that do not call `distribute`. Parameters without a gradient are
    skipped; which ones must be the same on every rank. Sparse gradients become dense.

    Raises:
        RuntimeError: there are several ranks, and `ddl` is not initialised.
    """
    ranks = engine()
    if ranks is None:
        return
    parameters = list(parameters)
    guard.mark((f"parameter {guard.next_number('parameter')}", one) for one in parameters if not guard.is_marked(one))
    grads = [_dense_gradient(parameter) for parameter in parameters if parameter.grad is not None]
    if grads:
        start_reduction(ranks, threads.key("average_gradients"), grads).wait()


def distribute(model: torch.nn.Module, optimizer: torch.optim.Optimizer, accumulate: int = 1) -> None:
    """Train a model on all ranks: call this once, after both are created, and change nothing else. Collective.

    All ranks get rank 0's parameters, buffers and optimizer state. The reduction of each gradient starts as soon as
    ``backward()`` has computed it, and overlaps with the computation of the next ones; ``optimizer.step()`` waits for
    the averages. With one rank, nothing is done.

    Args:
        accumulate: number of ``backward()`` calls before each ``step()``; the gradients are reduced in the last.
    Raises:
        ValueError: `accumulate` is less than 1.
        RuntimeError: there are several ranks, and `ddl` is not initialised. Later, in `backward`: it is called more
            often. Later, in the ``step()`` of another optimizer: it would use gradients that are not averaged yet.
    """
    if accumulate < 1:
        raise ValueError(f"ddl: accumulate is the number of backward() calls in a step, not {accumulate}")
    ranks = engine()
    if ranks is None:
        return
    broadcast(model, optimizer)
    averaging = _Averaging(ranks, _next_model(), accumulate, optimizer)
    _averagings.add(averaging)
    _watch_optimizers()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            averaging.names[parameter] = name
            parameter.register_post_accumulate_grad_hook(averaging.on_gradient)
    guard.mark((f"{name} of {averaging.model}", parameter) for parameter, name in averaging.names.items())
    optimizer.register_step_pre_hook(averaging.before_step)


@functools.cache
def _watch_optimizers() -> None:
    register_optimizer_step_pre_hook(_refuse_others)


def _refuse_others(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """Called before any optimizer's step: refuse one that would use gradients which another one's step waits for."""
    for averaging in tuple(_averagings):
        if averaging.optimizer is not optimizer:
            for group in optimizer.param_groups:
                averaging.check_not_waited_for(optimizer, group["params"])


class _Averaging:
    """The gradients of one model that are in flight."""

    def __init__(self, ranks: Engine, model: str, accumulate: int, optimizer: torch.optim.Optimizer) -> None:
        self._ranks, self.model, self._accumulate, self.optimizer = ranks, model, accumulate, optimizer
        self.names: dict[torch.nn.Parameter, str] = {}
        self._computed: dict[torch.nn.Parameter, int] = {}
        self._pending: list[Pending] = []

    def on_gradient(self, parameter: torch.nn.Parameter) -> None:
        """A gradient has been computed or accumulated."""
        times = self._computed[parameter] = self._computed.get(parameter, 0) + 1
        if times > self._accumulate:
            raise RuntimeError(
                f"ddl: backward() reached {self.names[parameter]} {times} times before step(): "
                "pass accumulate=N to ddl.torch.distribute"
            )
        if times == self._accumulate:
            self._start(parameter)

    def check_not_waited_for(self, optimizer: torch.optim.Optimizer, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Raise RuntimeError if a parameter has a gradient that is still to be averaged."""
        name = next((self.names[one] for one in parameters if one in self._computed), None)
        if name is not None:
            raise RuntimeError(
                f"ddl: this step of {type(optimizer).__name__} would use a gradient of {name} that is not averaged: "
                "ddl.torch.distribute(model, optimizer) was called with another optimizer, whose step() waits for it: "
                "step that one first, or call distribute with this one"
            )

    def _start(self, parameter: torch.nn.Parameter) -> None:
        name = f"gradient of {self.names[parameter]} of {self.model}"
        self._pending.append(start_reduction(self._ranks, name, [_dense_gradient(parameter)]))

    def before_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """The optimizer is about to use the gradients."""
        warn_if_unscaled(*_rates(optimizer))
        for parameter, times in self._computed.items():
            if times < self._accumulate and parameter.grad is not None:
                self._start(parameter)  # the last batch had fewer
        self._computed.clear()
        pending, self._pending = self._pending, []
        for one in pending:
            one.wait()


def _dense_gradient(parameter: torch.nn.Parameter) -> torch.Tensor:
    """Its gradient, converted to dense in place if it is sparse."""
    assert parameter.grad is not None
    parameter.grad = dense(parameter.grad)
    return parameter.grad


def _rates(optimizer: torch.optim.Optimizer) -> tuple[float, float | None]:
    """An optimizer's learning rate, and its default."""
    default = inspect.signature(type(optimizer).__init__).parameters.get("lr")
    is_number = default is not None and isinstance(default.default, float)
    return float(optimizer.param_groups[0]["lr"]), default.default if is_number else None

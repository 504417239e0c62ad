"""A model trained on all ranks: rank 0's weights to begin with, then gradients averaged while they are computed."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable
from typing import Any

import torch

from ddl import threads
from ddl.engine import Engine, EngineError
from ddl.learning_rate import warn_where_unscaled
from ddl.session import engine
from ddl.torch.reduction import Pending, dense, start_broadcast, start_reduction

_models = itertools.count(1)


def _next_model() -> str:
    """What the next model is called: by its number, as all ranks have them in the same order.

    Raises:
        EngineError: they come from two threads, in an order that is a matter of luck.
    """
    race = threads.race("models")
    if race is not None:
        raise EngineError(f"ddl: models come from {race}, and nothing tells ranks which is which: do it in one thread")
    return f"model {next(_models)}"


def broadcast(model: torch.nn.Module, optimizer: torch.optim.Optimizer | None = None) -> None:
    """Give a model's parameters and buffers, and an optimizer's state, rank 0's values. Collective.

    For a start from a checkpoint that rank 0 alone has read, too. With one rank, nothing is done.

    Raises:
        RuntimeError: several ranks, and `ddl` is not initialised.
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
    """The whole state as one object: ranks that start have none yet, where rank 0 may have read some."""
    from ddl.api import bcast

    optimizer.load_state_dict(bcast(optimizer.state_dict()))


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace the gradients of parameters by their average over all ranks, now. Collective.

    Between ``backward()`` and ``step()``, for programs that do not call `distribute`. Parameters without a gradient are
    left out; which ones must be the same on every rank. Sparse gradients become dense.

    Raises:
        RuntimeError: several ranks, and `ddl` is not initialised.
    """
    ranks = engine()
    if ranks is None:
        return
    grads = [_dense_gradient(parameter) for parameter in parameters if parameter.grad is not None]
    if grads:
        start_reduction(ranks, threads.key("average_gradients"), grads).wait()


def distribute(model: torch.nn.Module, optimizer: torch.optim.Optimizer, accumulate: int = 1) -> None:
    """Train a model on all ranks: call this once, after both are made, and change nothing else. Collective.

    All ranks get rank 0's parameters, buffers and optimizer state. Each gradient begins to travel as soon as
    ``backward()`` has computed it, while the next ones are computed; ``optimizer.step()`` waits for the averages. With
    one rank, nothing is done.

    Args:
        accumulate: how many times ``backward()`` is called before each ``step()``; the gradients travel in the last.
    Raises:
        ValueError: `accumulate` is less than 1.
        RuntimeError: several ranks, and `ddl` is not initialised. Later, in `backward`: it is called more often.
    """
    if accumulate < 1:
        raise ValueError(f"ddl: accumulate is the number of backward() calls in a step, not {accumulate}")
    ranks = engine()
    if ranks is None:
        return
    broadcast(model, optimizer)
    averaging = _Averaging(ranks, _next_model(), accumulate)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            averaging.names[parameter] = name
            parameter.register_post_accumulate_grad_hook(averaging.on_gradient)
    optimizer.register_step_pre_hook(averaging.before_step)


class _Averaging:
    """The gradients of one model that are on their way."""

    def __init__(self, ranks: Engine, model: str, accumulate: int) -> None:
        self._ranks, self._model, self._accumulate = ranks, model, accumulate
        self.names: dict[torch.nn.Parameter, str] = {}
        self._computed: dict[torch.nn.Parameter, int] = {}
        self._pending: list[Pending] = []

    def on_gradient(self, parameter: torch.nn.Parameter) -> None:
        """A gradient has been computed, or added to."""
        times = self._computed[parameter] = self._computed.get(parameter, 0) + 1
        if times > self._accumulate:
            raise RuntimeError(
                f"ddl: backward() reached {self.names[parameter]} {times} times before step(): "
                "say ddl.torch.distribute(…, accumulate=N)"
            )
        if times == self._accumulate:
            self._start(parameter)

    def _start(self, parameter: torch.nn.Parameter) -> None:
        name = f"gradient of {self.names[parameter]} of {self._model}"
        self._pending.append(start_reduction(self._ranks, name, [_dense_gradient(parameter)]))

    def before_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """The optimizer is about to use the gradients."""
        warn_where_unscaled(*_rates(optimizer))
        for parameter, times in self._computed.items():
            if times < self._accumulate and parameter.grad is not None:
                self._start(parameter)  # the last of the data gave fewer
        self._computed.clear()
        pending, self._pending = self._pending, []
        for one in pending:
            one.wait()


def _dense_gradient(parameter: torch.nn.Parameter) -> torch.Tensor:
    """Its gradient, which is made dense in its place where it is sparse."""
    assert parameter.grad is not None
    parameter.grad = dense(parameter.grad)
    return parameter.grad


def _rates(optimizer: torch.optim.Optimizer) -> tuple[float, float | None]:
    """An optimizer's learning rate, and what it is where none is given."""
    default = inspect.signature(type(optimizer).__init__).parameters.get("lr")
    is_number = default is not None and isinstance(default.default, float)
    return float(optimizer.param_groups[0]["lr"]), default.default if is_number else None

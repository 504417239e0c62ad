"""The divergence guard on PyTorch: which gradients are averaged, when a step is over, and the values.

Parameters are marked when something averages their gradients. After a step of an optimizer that has one of them, they
are compared. An optimizer without any trains unsynchronised, which may be intended: it is an error only if other ranks
wait for this one, and it has never averaged anything.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from ddl.guard.names import is_excluded
from ddl.guard.process import Guard, guard
from ddl.guard.unsynchronised import UnsynchronisedDetector
from ddl.guard.weights import Final, Value, Variable, Weights, digests_of, sample_of
from ddl.torch.reduction import type_name

_ADVICE = "each trains by itself; ddl.torch.distribute(model, optimizer) makes them train together"
_NAME, _EXCLUDED = "_ddl_guarded_as", "_ddl_guard_excluded"


def install(of_process: Guard) -> None:
    """Watch every optimizer's steps from now on. A second call changes nothing."""
    if _optimizers:
        return
    _optimizers.append(_Optimizers(of_process))
    register_optimizer_step_post_hook(_optimizers[0].after_step)
    _mark_in_data_parallel()


def exclude(parameter: torch.Tensor) -> None:
    """Mark a parameter as meant to differ."""
    setattr(parameter, _EXCLUDED, True)


def is_marked(parameter: torch.Tensor) -> bool:
    """Whether its gradients are averaged."""
    return hasattr(parameter, _NAME)


def mark(named: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Mark parameters as averaged. Names are the same on every rank."""
    if guard() is None:
        return
    for name, parameter in named:
        if not hasattr(parameter, _NAME):
            setattr(parameter, _NAME, name)


def _mark_in_data_parallel() -> None:
    """`DistributedDataParallel` averages its module's gradients through the backend ``ddl``."""
    wrapped = torch.nn.parallel.DistributedDataParallel
    begin = wrapped.__init__

    @functools.wraps(begin)
    def begin_and_mark(self: Any, module: torch.nn.Module, *args: Any, **kwargs: Any) -> None:
        begin(self, module, *args, **kwargs)
        if torch.distributed.is_initialized() and torch.distributed.get_backend(self.process_group) == "ddl":
            number = next_number("DistributedDataParallel")
            mark((f"{name} of DistributedDataParallel {number}", one) for name, one in module.named_parameters())

    wrapped.__init__ = begin_and_mark


def next_number(kind: str) -> int:
    """1 for the first of a kind, and so on: all ranks count alike."""
    _counts[kind] = _counts.get(kind, 0) + 1
    return _counts[kind]


class _Optimizers:
    """All optimizers: what they train, and which train unsynchronised."""

    def __init__(self, of_process: Guard) -> None:
        self._guard = of_process
        self._trained: weakref.WeakKeyDictionary[Any, Trained] = weakref.WeakKeyDictionary()
        self._detector, self._steps = UnsynchronisedDetector(of_process, self._read_digests, _ADVICE), 0

    def after_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """An optimizer has taken a step."""
        parameters = [one for group in optimizer.param_groups for one in group["params"] if one.requires_grad]
        if not any(one.grad is not None for one in parameters):
            return  # schedulers are set up with such steps
        guarded = [one for one in parameters if hasattr(one, _NAME)]
        if not guarded:
            self._unaveraged_step()
            return
        chosen = [one for one in guarded if not hasattr(one, _EXCLUDED) and not is_excluded(getattr(one, _NAME))]
        if not chosen:
            return
        weights = self._trained.get(optimizer)
        if weights is None or len(weights.variables) != len(chosen):
            weights = self._trained[optimizer] = Trained(_name_of(guarded), chosen)
            self._guard.add(weights)
        weights.steps += 1
        if self._guard.is_due(weights.steps):
            self._guard.check(weights, weights.steps, weights.values())

    def _unaveraged_step(self) -> None:
        self._steps += 1
        if self._steps == 1 and not self._guard.engine.reductions:
            self._detector.track("an optimizer's parameters", 0)

    def _read_digests(self) -> Mapping[str, int]:
        return {"an optimizer's parameters": self._steps}


def _name_of(parameters: list[torch.Tensor]) -> str:
    more = f" and {len(parameters) - 1} more" if len(parameters) > 1 else ""
    return f"weights {getattr(parameters[0], _NAME)}{more}"


class Trained(Weights):
    """Parameters that an optimizer trains. Their memory is held until their last values are digested."""

    def __init__(self, name: str, parameters: list[torch.Tensor]) -> None:
        names = [getattr(one, _NAME) for one in parameters]
        about = [
            Variable(name, tuple(one.shape), type_name(one), name) for name, one in zip(names, parameters, strict=True)
        ]
        super().__init__(name, about)
        self.steps = 0
        self._last: Final | None = None
        self._held = [one.detach() for one in parameters]
        self._references = [weakref.ref(one, self._on_release) for one in parameters]

    def values(self) -> list[Value]:
        """The current values."""
        alive = [reference() for reference in self._references]
        return [_value(held if one is None else one.detach()) for held, one in zip(self._held, alive, strict=True)]

    def final(self) -> Final | None:
        if self._last is None and self.steps:
            values = self.values()
            self._last = Final(self.steps, digests_of(values), values)
        return self._last

    def _on_release(self, _: Any) -> None:
        """The program releases a parameter: its current value is its last one."""
        if self._last is not None or not self._held:
            return
        with suppress(Exception):  # may fail while Python shuts down
            last = self.final()
            if last is not None:
                samples = [sample_of(value) for value in last.values]
                self._last = Final(last.steps, last.digests, samples, complete=False)
        self._held = []


def _value(tensor: torch.Tensor) -> Value:
    here = tensor.to("cpu").contiguous()
    if here.is_complex():
        here = torch.view_as_real(here)
    memory = here.reshape(-1).view(torch.uint8).numpy()
    comparable = here.dtype in (torch.float32, torch.float64)
    return Value(memory, lambda: np.ascontiguousarray((here if comparable else here.float()).numpy()))


_optimizers: list[_Optimizers] = []
_counts: dict[str, int] = {}

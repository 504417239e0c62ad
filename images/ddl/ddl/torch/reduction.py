"""Collectives on PyTorch's tensors.

The engine works in the computer's memory: what is contiguous there is reduced where it lies; what is on a GPU, or not
contiguous, in a copy that goes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ddl.carriers import carrier, check_average
from ddl.engine import ALLREDUCE, BROADCAST, Engine, Piece, Started


def type_name(tensor: torch.Tensor) -> str:
    """The name of a tensor's dtype without PyTorch's in front of it."""
    return str(tensor.dtype).removeprefix("torch.")


class Pending:
    """A collective on tensors that is on its way; `wait` must be called once, and puts the result into them."""

    def __init__(self, started: Started, tensors: Sequence[torch.Tensor], travelling: Sequence[torch.Tensor]) -> None:
        self._started, self._tensors, self._travelling = started, tensors, travelling

    def wait(self) -> None:
        """Wait for the result. Raises EngineError: ranks differ about this collective, or one has left."""
        self._started.wait()
        with torch.no_grad():
            for tensor, one in zip(self._tensors, self._travelling, strict=True):
                if one.data_ptr() != tensor.data_ptr():
                    tensor.copy_(torch.view_as_complex(one) if tensor.is_complex() else one)


def start_reduction(engine: Engine, name: str, tensors: Sequence[torch.Tensor], reduction: str = "avg") -> Pending:
    """Begin to reduce tensors in place, as one collective.

    Args:
        tensors: of the same shapes and dtypes in the same order on every rank; not to be touched before `wait`.
        reduction: ``avg``, ``sum``, ``min`` or ``max``.
    Raises:
        ValueError: an average of integers, or a sum of what are no numbers.
    """
    if reduction == "avg":
        for tensor in tensors:
            check_average(type_name(tensor))
    travelling = [_carried(tensor.detach()) for tensor in tensors]
    pieces = [Piece(one.data_ptr(), tuple(one.shape), type_name(one), one) for one in travelling]
    return Pending(engine.start(name, pieces, ALLREDUCE, reduction), tensors, travelling)


def _carried(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.is_complex():
        return torch.view_as_real(tensor).cpu().contiguous()
    return tensor.to("cpu", getattr(torch, carrier(type_name(tensor)))).contiguous()


def start_broadcast(engine: Engine, name: str, tensors: Sequence[torch.Tensor]) -> Pending:
    """Begin to give tensors of any dtype rank 0's values, in place."""
    travelling = [tensor.detach().cpu().contiguous() for tensor in tensors]
    pieces = [Piece(one.data_ptr(), (one.numel() * one.element_size(),), "bytes", one) for one in travelling]
    # A complex tensor goes back as the two reals that `wait` takes it for.
    back = [torch.view_as_real(one) if one.is_complex() else one for one in travelling]
    return Pending(engine.start(name, pieces, BROADCAST), tensors, back)


def bcast_tensor(engine: Engine, tensor: torch.Tensor) -> torch.Tensor:
    """A new tensor with rank 0's value."""
    value = tensor.detach().clone()
    start_broadcast(engine, "bcast", [value]).wait()
    return value


def reduce_tensors(engine: Engine, values: Sequence[Any], average: bool) -> list[torch.Tensor | None]:
    """New tensors with the sum or average of all ranks'; None stays None, sparse becomes dense."""
    tensors = [dense(torch.as_tensor(value).detach().clone()) for value in values if value is not None]
    if tensors:
        start_reduction(engine, "allreduce_n", tensors, "avg" if average else "sum").wait()
    reduced = iter(tensors)
    return [None if value is None else next(reduced) for value in values]


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, or a dense one of the same values."""
    return tensor.to_dense() if tensor.layout != torch.strided else tensor

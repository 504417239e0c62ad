"""Collectives on PyTorch's tensors.

The engine works on host memory: contiguous tensors there are reduced in place; tensors on a GPU, or not contiguous, in
a copy that is copied back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ddl import threads
from ddl.engine import ALLREDUCE, BROADCAST, Buffer, Engine, Handle
from ddl.environment import place
from ddl.wire_types import NATIVE_TYPES, check_average, wire_type


def type_name(tensor: torch.Tensor) -> str:
    """The name of a tensor's dtype without the prefix ``torch.``."""
    return str(tensor.dtype).removeprefix("torch.")


class Pending:
    """A collective on tensors in flight; `wait` must be called once, and stores the result in them."""

    def __init__(self, started: Handle, tensors: Sequence[torch.Tensor], wire_tensors: Sequence[torch.Tensor]) -> None:
        self._started, self._tensors, self._wire_tensors = started, tensors, wire_tensors

    def wait(self) -> None:
        """Wait for the result. Raises EngineError: ranks differ about this collective, or one has shut down."""
        self._started.wait()
        with torch.no_grad():
            for tensor, one in zip(self._tensors, self._wire_tensors, strict=True):
                if one.data_ptr() != tensor.data_ptr():
                    tensor.copy_(torch.view_as_complex(one) if tensor.is_complex() and not one.is_complex() else one)


def start_reduction(engine: Engine, name: str, tensors: Sequence[torch.Tensor], reduction: str = "avg") -> Pending:
    """Start a reduction of tensors in place, as one collective.

    Args:
        tensors: of the same shapes and dtypes in the same order on every rank; not to be used before `wait`.
        reduction: ``avg``, ``sum``, ``min`` or ``max``.
    Raises:
        ValueError: an average of integers, or a sum of values that are not numbers.
    """
    if reduction == "avg":
        for tensor in tensors:
            check_average(type_name(tensor))
    wire_tensors = [_to_wire(_detached(tensor)) for tensor in tensors]
    buffers = [_reduction_buffer(one, tensor) for one, tensor in zip(wire_tensors, tensors, strict=True)]
    return Pending(engine.start(name, buffers, ALLREDUCE, reduction), tensors, wire_tensors)


def _detached(tensor: torch.Tensor) -> torch.Tensor:
    """Detached from autograd, with lazy conjugation and negation applied to its memory."""
    return tensor.detach().resolve_conj().resolve_neg()


def _to_wire(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.is_complex():
        return torch.view_as_real(tensor).cpu().contiguous()
    return tensor.to("cpu", getattr(torch, wire_type(type_name(tensor)))).contiguous()


def _reduction_buffer(wire: torch.Tensor, tensor: torch.Tensor) -> Buffer:
    element = type_name(tensor) if wire.dtype != tensor.dtype else ""
    per_element = tensor.element_size() if tensor.is_complex() else 0
    return Buffer(wire.data_ptr(), tuple(tensor.shape), type_name(wire), wire, element, per_element)


def start_broadcast(engine: Engine, name: str, tensors: Sequence[torch.Tensor], root: int = 0) -> Pending:
    """Start a broadcast of the root's values of tensors of any dtype, in place and bit for bit."""
    wire_tensors = [_detached(tensor).cpu().contiguous() for tensor in tensors]
    buffers = [_broadcast_buffer(one) for one in wire_tensors]
    return Pending(engine.start(name, buffers, BROADCAST, root=root), tensors, wire_tensors)


def _broadcast_buffer(one: torch.Tensor) -> Buffer:
    name = type_name(one)
    if name in NATIVE_TYPES:
        return Buffer(one.data_ptr(), tuple(one.shape), name, one)
    return Buffer(one.data_ptr(), tuple(one.shape), "bytes", one, name, one.element_size())


class _Broadcast(torch.autograd.Function):
    """The root's value; its gradient is the sum of all ranks' at the root, and zero elsewhere."""

    @staticmethod
    def forward(ctx: Any, engine: Engine, key: str, root: int, tensor: torch.Tensor) -> torch.Tensor:
        ctx.engine, ctx.key, ctx.root = engine, key, root
        value = tensor.detach().clone()
        start_broadcast(engine, key, [value], root).wait()
        return value

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[Any, ...]:
        (total,) = _AllReduce.apply(ctx.engine, threads.key_of_gradient(ctx.key), "sum", *grads)
        # The gradient of this gradient is broadcast from the root, so the result depends on the sum on every rank.
        mine = torch.full((), place().rank == ctx.root, device=total.device)
        return None, None, None, torch.where(mine, total, torch.zeros_like(total))


class _AllReduce(torch.autograd.Function):
    """The sum or average of tensors over all ranks; their gradients are reduced in the same way."""

    @staticmethod
    def forward(ctx: Any, engine: Engine, key: str, reduction: str, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ctx.engine, ctx.key, ctx.reduction = engine, key, reduction
        values = [tensor.detach().clone() for tensor in tensors]
        start_reduction(engine, key, values, reduction).wait()
        ctx.mark_non_differentiable(*(one for one in values if not one.is_floating_point() and not one.is_complex()))
        ctx.has_gradient = [one.is_floating_point() or one.is_complex() for one in values]
        return tuple(values)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[Any, ...]:
        given = [grad for grad, has in zip(grads, ctx.has_gradient, strict=True) if has]
        reduced = iter(_AllReduce.apply(ctx.engine, threads.key_of_gradient(ctx.key), ctx.reduction, *given))
        return None, None, None, *(next(reduced) if has else None for has in ctx.has_gradient)


def bcast_tensor(engine: Engine, tensor: torch.Tensor, root: int = 0, name: str | None = None) -> torch.Tensor:
    """A new tensor with the root's value; differentiable."""
    value: torch.Tensor = _Broadcast.apply(engine, threads.key("bcast", name), root, dense(tensor))
    return value


def reduce_tensors(
    engine: Engine, values: Sequence[Any], average: bool, name: str | None = None
) -> list[torch.Tensor | None]:
    """New tensors with the sum or average of all ranks'; None stays None, sparse becomes dense.

    Differentiable.
    """
    tensors = [dense(torch.as_tensor(value)) for value in values if value is not None]
    key = threads.key("allreduce_n", name)
    reduced = iter(_AllReduce.apply(engine, key, "avg" if average else "sum", *tensors) if tensors else ())
    return [None if value is None else next(reduced) for value in values]


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, or a dense one of the same values."""
    return tensor.to_dense() if tensor.layout != torch.strided else tensor

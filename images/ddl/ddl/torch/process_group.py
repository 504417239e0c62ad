"""The backend ``ddl`` of ``torch.distributed``: ``torch.distributed.init_process_group("ddl")``, as programs had it.

With it PyTorch's own tools work over the engine: `DistributedDataParallel`, ``all_reduce``, ``broadcast``,
``all_gather``, ``barrier``, and the functions for objects built on them. It is registered by the import of ``ddl``,
whether PyTorch comes before it or after. There is one group, of all ranks. What the engine has no collective for
raises; what it does as a sum (a root other than rank 0, gathering) is exact, as all ranks but one add zeros.
"""

from __future__ import annotations

import functools
import itertools
import os
import queue
import socket
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from ddl.engine import EngineError
from ddl.environment import place
from ddl.session import engine
from ddl.torch.reduction import Pending, start_broadcast, start_reduction

_REDUCTIONS = (
    (dist.ReduceOp.SUM, "sum"),
    (dist.ReduceOp.AVG, "avg"),
    (dist.ReduceOp.MIN, "min"),
    (dist.ReduceOp.MAX, "max"),
)


def register() -> None:
    """Let ``init_process_group("ddl")`` find this. A second call changes nothing."""
    if not dist.is_available() or "ddl" in dist.Backend.backend_list:
        return
    dist.Backend.register_backend("ddl", _make, devices=["cpu", "cuda"])
    begin = dist.init_process_group

    @functools.wraps(begin)
    def tell_places_and_begin(backend: str | None = None, *args: Any, **kwargs: Any) -> Any:
        if backend == "ddl":
            _tell_places()
        return begin(backend, *args, **kwargs)

    dist.init_process_group = dist.distributed_c10d.init_process_group = tell_places_and_begin


def _tell_places() -> None:
    """What ``env://`` wants to be told, which mpirun does not: the ranks' numbers, and where rank 0 can be met."""
    from ddl.api import bcast

    here = place()
    os.environ.setdefault("RANK", str(here.rank))
    os.environ.setdefault("WORLD_SIZE", str(here.size))
    if "MASTER_ADDR" not in os.environ or "MASTER_PORT" not in os.environ:
        with socket.socket() as probe:
            probe.bind(("", 0))
            mine = socket.gethostname(), probe.getsockname()[1]
        host, port = bcast(mine)
        os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = ("localhost" if here.num_hosts == 1 else host), str(port)


def _make(_: Any, rank: int, size: int, __: timedelta) -> ProcessGroup:
    here = place()
    if (rank, size) != (here.rank, here.size):
        raise ValueError(
            f"ddl: this group would be rank {rank} of {size}, but mpirun started rank {here.rank} of {here.size}: "
            "the backend ddl has one group, of all ranks in their order"
        )
    return ProcessGroup(rank, size)


class _Work(dist.Work):
    """One collective, as PyTorch waits for it."""

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self.future: torch.futures.Future[Any] = torch.futures.Future()
        self.tensors = list(tensors)

    def wait(self, timeout: timedelta | None = None) -> bool:
        self.future.wait()
        return True

    def is_completed(self) -> bool:
        return self.future.done()

    def get_future(self) -> torch.futures.Future[Any]:
        return self.future

    def result(self) -> list[torch.Tensor]:
        return self.tensors


class ProcessGroup(dist.ProcessGroup):
    """All ranks; see the module."""

    def __init__(self, rank: int, size: int) -> None:
        super().__init__(rank, size)
        self._rank, self._size, self._numbers = rank, size, itertools.count(1)
        self._waiting: queue.SimpleQueue[tuple[Pending | None, _Work, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._finish, name="ddl-torch", daemon=True).start()

    def getBackendName(self) -> str:
        return "ddl"

    def _name(self, kind: str) -> str:
        """All ranks use a group in the same order, as PyTorch demands; so they count alike."""
        return f"torch.distributed: {kind} {next(self._numbers)}"

    def _finish(self) -> None:
        """Completes futures as collectives end: `DistributedDataParallel` waits for them in C++."""
        while True:
            pending, work, finish = self._waiting.get()
            try:
                if pending is not None:
                    pending.wait()
                if finish is not None:
                    finish()
                work.future.set_result(work.tensors)
            except EngineError as error:
                work.future.set_exception(error)

    def _work(self, pending: Pending | None, tensors: Sequence[torch.Tensor], finish: Any = None) -> _Work:
        work = _Work(tensors)
        self._waiting.put((pending, work, finish))
        return work

    def allreduce(self, tensors: Sequence[torch.Tensor], opts: Any = None) -> _Work:
        # PyTorch's constants compare equal to what it hands over, but do not hash alike.
        reduction = next((word for op, word in _REDUCTIONS if opts is None or opts.reduceOp == op), None)
        if reduction is None:
            raise ValueError(f"ddl: there is no reduction {opts.reduceOp}; there are SUM, AVG, MIN and MAX")
        return self._work(start_reduction(_engine(), "torch.distributed: allreduce", tensors, reduction), tensors)

    def allreduce_coalesced(self, tensors: Sequence[torch.Tensor], opts: Any = None) -> _Work:
        return self.allreduce(tensors, opts)

    def broadcast(self, tensors: Sequence[torch.Tensor], opts: Any = None) -> _Work:
        root = opts.rootRank if opts is not None else 0
        if root == 0:
            return self._work(start_broadcast(_engine(), self._name("broadcast"), tensors), tensors)
        mine = [tensor if self._rank == root else tensor.zero_() for tensor in tensors]
        return self._work(start_reduction(_engine(), self._name("broadcast"), mine, "sum"), tensors)

    def allgather(
        self, outputs: Sequence[Sequence[torch.Tensor]], inputs: Sequence[torch.Tensor], opts: Any = None
    ) -> _Work:
        gathered = [self._row_of(one) for one in inputs]

        def spread() -> None:
            for rows, row in zip(outputs, gathered, strict=True):
                for target, part in zip(rows, row, strict=True):
                    target.copy_(part)

        pending = start_reduction(_engine(), self._name("allgather"), gathered, "sum")
        return self._work(pending, [row for rows in outputs for row in rows], spread)

    def _allgather_base(self, output: torch.Tensor, one: torch.Tensor, opts: Any = None) -> _Work:
        return self.allgather([list(output.view(self._size, *one.shape).unbind())], [one], opts)

    all_gather_single = _allgather_base  # its name since PyTorch 2.13

    def _row_of(self, one: torch.Tensor) -> torch.Tensor:
        """All ranks' places, with this rank's in its own and zeros elsewhere."""
        one = one.to(torch.uint8) if one.dtype == torch.bool else one
        row = one.new_zeros((self._size, *one.shape))
        row[self._rank] = one
        return row

    def barrier(self, opts: Any = None) -> _Work:
        nothing = [torch.zeros(1)]
        return self._work(start_reduction(_engine(), self._name("barrier"), nothing, "sum"), nothing)


def _engine() -> Any:
    ranks = engine()
    assert ranks is not None, "a group of one rank has no need of this"
    return ranks

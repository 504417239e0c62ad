"""The backend ``ddl`` of ``torch.distributed``: ``torch.distributed.init_process_group("ddl")``, as in existing
programs.

With it PyTorch's own tools run over the engine: `DistributedDataParallel`, ``all_reduce``, ``broadcast``,
``all_gather``, ``barrier``, and the functions for objects built on them. The import of ``ddl`` registers it, whether
PyTorch is imported before or after. There is one group, of all ranks. Collectives that the engine does not have raise;
gathering is a broadcast from each rank.
"""

from __future__ import annotations

import functools
import itertools
import os
import queue
import socket
import threading
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from ddl import threads
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
    """Register the backend for ``init_process_group("ddl")``. A second call changes nothing."""
    if not dist.is_available() or "ddl" in dist.Backend.backend_list:
        return
    dist.Backend.register_backend("ddl", _make, devices=["cpu", "cuda"])
    original = dist.init_process_group

    @functools.wraps(original)
    def set_environment_and_init(backend: str | None = None, *args: Any, **kwargs: Any) -> Any:
        if backend == "ddl":
            _set_environment()
        return original(backend, *args, **kwargs)

    dist.init_process_group = dist.distributed_c10d.init_process_group = set_environment_and_init


def _set_environment() -> None:
    """Set what ``env://`` needs and mpirun does not set: the ranks' numbers, and rank 0's address."""
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
    """One collective, as a PyTorch work handle."""

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
    """The group of all ranks; see the module."""

    def __init__(self, rank: int, size: int) -> None:
        super().__init__(rank, size)
        self._rank, self._size = rank, size
        self._numbers: defaultdict[str, itertools.count[int]] = defaultdict(lambda: itertools.count(1))
        self._waiting: queue.SimpleQueue[tuple[Sequence[Pending], _Work]] = queue.SimpleQueue()
        threading.Thread(target=self._finish, name="ddl-torch", daemon=True).start()

    def getBackendName(self) -> str:
        return "ddl"

    def _name(self, kind: str) -> str:
        """PyTorch requires all ranks to use a group in the same order; so they count alike, separately for each
        thread.
        """
        thread = threads.own_name()
        return f"torch.distributed: {kind} {next(self._numbers[thread])}{thread}"

    def _finish(self) -> None:
        """Completes futures as collectives complete: `DistributedDataParallel` waits for them in C++."""
        while True:
            pending, work = self._waiting.get()
            errors = [error for error in map(_error_of, pending) if error is not None]
            if errors:
                work.future.set_exception(errors[0])
            else:
                work.future.set_result(work.tensors)

    def _work(self, pending: Sequence[Pending], tensors: Sequence[torch.Tensor]) -> _Work:
        work = _Work(tensors)
        self._waiting.put((pending, work))
        return work

    def allreduce(self, tensors: Sequence[torch.Tensor], opts: Any = None) -> _Work:
        # PyTorch's constants compare equal to the argument, but do not hash alike.
        reduction = next((word for op, word in _REDUCTIONS if opts is None or opts.reduceOp == op), None)
        if reduction is None:
            raise ValueError(f"ddl: there is no reduction {opts.reduceOp}; there are SUM, AVG, MIN and MAX")
        name = f"torch.distributed: allreduce{threads.own_name()}"
        return self._work([start_reduction(_engine(), name, tensors, reduction)], tensors)

    def allreduce_coalesced(self, tensors: Sequence[torch.Tensor], opts: Any = None) -> _Work:
        return self.allreduce(tensors, opts)

    def broadcast(self, tensors: Sequence[torch.Tensor], opts: Any = None) -> _Work:
        root = opts.rootRank if opts is not None else 0
        return self._work([start_broadcast(_engine(), self._name("broadcast"), tensors, root)], tensors)

    def allgather(
        self, outputs: Sequence[Sequence[torch.Tensor]], inputs: Sequence[torch.Tensor], opts: Any = None
    ) -> _Work:
        name = self._name("allgather")
        with torch.no_grad():
            for rows, one in zip(outputs, inputs, strict=True):
                rows[self._rank].copy_(one)
        pending = [
            start_broadcast(_engine(), f"{name} from rank {root}", [rows[root] for rows in outputs], root)
            for root in range(self._size)
        ]
        return self._work(pending, [row for rows in outputs for row in rows])

    def _allgather_base(self, output: torch.Tensor, one: torch.Tensor, opts: Any = None) -> _Work:
        return self.allgather([list(output.view(self._size, *one.shape).unbind())], [one], opts)

    all_gather_single = _allgather_base  # its name since PyTorch 2.13

    def barrier(self, opts: Any = None) -> _Work:
        nothing = [torch.zeros(1)]
        return self._work([start_reduction(_engine(), self._name("barrier"), nothing, "sum")], nothing)


def _error_of(pending: Pending) -> EngineError | None:
    """The error of a collective, once it is done."""
    try:
        pending.wait()
    except EngineError as error:
        return error
    return None


def _engine() -> Any:
    ranks = engine()
    assert ranks is not None, "a group of one rank has no need of this"
    return ranks

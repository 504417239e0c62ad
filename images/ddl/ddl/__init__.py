"""Data-parallel training: one process per GPU, started by mpirun, each with its share of the data.

``import ddl`` is all that a Keras program needs. Under mpirun with ``DDL_OPTIONS`` set, the import initialises
everything: this process takes the GPU of its local rank, all ranks start from rank 0's weights, and every optimizer
step uses the average of all ranks' gradients. Without mpirun the same program runs as one ordinary process.

Under mpirun with ``DDL_OPTIONS`` unset nothing is synchronised until the program calls ``ddl.init(options)``.

The modules, from the bottom up: ``environment`` and ``mode`` read what the launcher sets; ``grouping`` decides which
gradients are fused; ``engine`` is the native library, which uses MPI; ``wire_types`` and ``arrays`` pass NumPy arrays
to it; ``owner`` determines which of a rank's processes has it; ``rendezvous`` names ranks that are missing at start;
``termination`` makes sure that no rank waits for one that is gone, and ``orphans`` that mpirun does not either;
``guard`` detects ranks that diverge; ``session`` initialises all of them. ``tensorflow`` and ``torch`` (packages of
their own) are prepared by ``frameworks``, through ``import_hooks``, when the program imports them. With one rank, none
of that is loaded. ``metrics`` reports the program's numbers. ``launcher`` is the command ``ddlrun``.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from ddl.api import allreduce_n, bcast, grads_reduce, guard_exclude
from ddl.environment import local_rank, num_hosts, place, rank, size, under_mpi
from ddl.learning_rate import scale_learning_rate
from ddl.metrics import log_metric
from ddl.session import init, is_worker
from ddl.sharding import shard

_LATE = {
    "DDLCallback": "ddl.tensorflow.callbacks",
    "DDLGlobalVariablesCallback": "ddl.tensorflow.callbacks",
    "DDLMetricsCallback": "ddl.tensorflow.callbacks",
    "DDLWarmupCallback": "ddl.tensorflow.callbacks",
    "DistributedGradientTape": "ddl.tensorflow.tape",
}
"""Names that need a framework, which is loaded on first access."""

__all__ = [
    "DDLCallback",
    "DDLGlobalVariablesCallback",
    "DDLMetricsCallback",
    "DDLWarmupCallback",
    "DistributedGradientTape",
    "allreduce_n",
    "bcast",
    "grads_reduce",
    "guard_exclude",
    "init",
    "local_rank",
    "log_metric",
    "num_hosts",
    "rank",
    "scale_learning_rate",
    "shard",
    "size",
]


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(importlib.import_module(_LATE[name]), name)
    raise AttributeError(f"module 'ddl' has no attribute {name!r}")


def _begin() -> None:
    """Initialise at import, if the environment says so."""
    if not under_mpi():
        return
    options = os.environ.get("DDL_OPTIONS")
    if options:
        init(options)
    elif place().size > 1 and not is_worker() and place().rank == 0:
        print("ddl: DDL_OPTIONS is not set: nothing is synchronised until ddl.init(options)", file=sys.stderr)


_begin()

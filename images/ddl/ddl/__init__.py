"""Data-parallel training: one process per GPU, started by mpirun, each with its share of the data.

``import ddl`` is all that a Keras program needs. Under mpirun with ``DDL_OPTIONS`` set, the import initialises
everything: this process takes the GPU of its local rank, all ranks start from rank 0's weights, and every optimizer
step uses the average of all ranks' gradients. Without mpirun the same program runs as one ordinary process.

Under mpirun with ``DDL_OPTIONS`` unset nothing is synchronised until the program calls ``ddl.init(options)``.

How it is made, from the bottom up: ``environment`` and ``mode`` read what the launcher says, ``grouping`` decides what
travels together, ``communicator`` and ``arrays`` speak MPI in NumPy's terms, ``reduction`` does it for tensors,
``keras_hook`` (for Keras 2 ``keras2_hook``) puts that into Keras with ``initial_values`` and ``replacing``, ``ending``
sees to it that no rank waits for one that is gone, and ``session`` switches it all on. Nothing below ``environment``,
``mode`` and ``grouping`` is imported before ``init``.
"""

from __future__ import annotations

import os
import sys

from ddl.api import allreduce_n, bcast, grads_reduce
from ddl.environment import local_rank, num_hosts, rank, size, under_mpi
from ddl.session import init

__all__ = ["allreduce_n", "bcast", "grads_reduce", "init", "local_rank", "num_hosts", "rank", "size"]


def _begin() -> None:
    """Do at import what the environment asks for."""
    if not under_mpi():
        return
    options = os.environ.get("DDL_OPTIONS")
    if options:
        init(options)
    elif size() > 1 and rank() == 0:
        print("ddl: DDL_OPTIONS is not set: nothing is synchronised until ddl.init(options)", file=sys.stderr)


_begin()

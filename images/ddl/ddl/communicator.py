"""The ranks of the job as one object that sums and copies NumPy arrays. Importing this module starts MPI."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from mpi4py import MPI


class Communicator:
    """All ranks of the job.

    Every method but `abort` is collective: each rank must call it, in the same order, or all wait for ever (`ending`
    watches for the one case that can be seen from inside: a rank that has left).

    Attributes:
        size: number of ranks.
        rank: this rank's number.
        calls: how many collective calls this rank has begun.
        busy: whether it is in one now.
    """

    def __init__(self) -> None:
        # A duplicate, so that no message of the user's own mpi4py code is ever taken for ours.
        self.comm = MPI.COMM_WORLD.Dup()
        self.size = self.comm.size
        self.rank = self.comm.rank
        self.calls = 0
        self.busy = False
        # TensorFlow may run two of our calls in two threads. MPI has no way to tell them apart.
        self._one_at_a_time = threading.Lock()

    @contextmanager
    def _call(self) -> Iterator[None]:
        with self._one_at_a_time:
            self.calls += 1
            self.busy = True
            try:
                yield
            finally:
                self.busy = False

    def sum_in_place(self, flat: np.ndarray) -> None:
        """Replace a one-dimensional array with the sum of all ranks' arrays of the same length and dtype."""
        with self._call():
            self.comm.Allreduce(MPI.IN_PLACE, flat)

    def copy_from_rank_0(self, array: np.ndarray) -> np.ndarray:
        """Return rank 0's array; all ranks' arrays have the same shape and dtype, which may be any."""
        value = np.array(array, order="C")
        with self._call():
            self.comm.Bcast(value.reshape(-1).view(np.uint8), root=0)  # as bytes: MPI knows no bfloat16
        return value

    def object_from_rank_0(self, value: Any) -> Any:
        """Return rank 0's object, which must be one that pickle takes."""
        with self._call():
            return self.comm.bcast(value, root=0)

    def abort(self) -> None:
        """End every rank of the job, this one first, with exit status 1."""
        self.comm.Abort(1)

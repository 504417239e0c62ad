"""How a job ends when one of its ranks ends early: at once, and with a reason.

mpirun ends a job when one of its processes dies. A Python process that raises does not die: at exit it waits in
MPI_Finalize for the other ranks, which wait for it in their next allreduce, for ever. Two things prevent that:

* an exception that nothing catches aborts the job, after its traceback is printed;
* a rank that exits in another way (``sys.exit(1)``, or it had fewer steps than the others) tells its neighbour how
  many collective calls it made. A neighbour that finds itself in a later call waits for nobody, and aborts.
"""

from __future__ import annotations

import atexit
import sys
import threading
from types import TracebackType

import numpy as np
from mpi4py import MPI

from ddl.communicator import Communicator

_LOOK_EVERY_S = 0.5


def arrange(ranks: Communicator) -> None:
    """Arrange for both; to be called once, by every rank."""
    _abort_on_exception(ranks)
    if MPI.Query_thread() == MPI.THREAD_MULTIPLE:  # the look-out calls MPI beside the thread that is waiting in it
        atexit.register(_Lookout(ranks).leave)


def _abort_on_exception(ranks: Communicator) -> None:
    print_it = sys.excepthook

    def print_and_abort(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        print_it(kind, error, trace)
        sys.stdout.flush()
        sys.stderr.flush()
        ranks.abort()

    sys.excepthook = print_and_abort


class _Lookout:
    """Looks now and then, in a thread of its own, whether the rank before this one has left while this one waits.

    Looking at one neighbour is enough. The ranks form a ring; some rank that waits comes right after one that left.
    """

    def __init__(self, ranks: Communicator) -> None:
        self._ranks = ranks
        self._comm = ranks.comm.Dup()  # MPI matches messages per communicator; these have one to themselves
        self._before = (ranks.rank - 1) % ranks.size
        self._after = (ranks.rank + 1) % ranks.size
        self._calls_of_before: int | None = None  # known when it has left
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._look, name="ddl-lookout", daemon=True)
        self._thread.start()

    def _look(self) -> None:
        farewell = np.zeros(1, np.int64)
        while not self._leaving.wait(_LOOK_EVERY_S):
            if not self._ranks.busy:
                continue
            if self._calls_of_before is None and self._comm.Iprobe(source=self._before):
                self._comm.Recv(farewell, source=self._before)
                self._calls_of_before = int(farewell[0])
            # That it has left is no fault, unless this rank is in a call in which the other will have no part.
            if self._calls_of_before is not None and self._ranks.calls > self._calls_of_before:
                self._give_up(self._calls_of_before)

    def _give_up(self, calls_of_before: int) -> None:
        print(
            f"ddl: rank {self._before} ended after {calls_of_before} collective calls, but rank {self._ranks.rank} "
            f"waits for it in call {self._ranks.calls}: it failed, or had fewer steps than the others",
            file=sys.stderr,
            flush=True,
        )
        self._ranks.abort()

    def leave(self) -> None:
        """Tell the rank after this one that no more calls will come. Runs at exit, before mpi4py finalises MPI."""
        self._leaving.set()
        self._thread.join()
        # Eight bytes: they go at once, and nobody needs to receive them.
        self._comm.Isend(np.array([self._ranks.calls], np.int64), dest=self._after)

"""Ranks that are not there. WAY: `late` comes after the stall time; `leaves` ends while others wait; `raises` ends by
an exception; `killed` ends by SIGKILL; `twice` initialises again; `mpi4py` had MPI before us.

    mpirun -np N python leaving.py WAY
"""

import os
import signal
import sys
import time

way = sys.argv[1]
if way == "mpi4py":
    from mpi4py import MPI
import engine
import numpy as np

engine.init("-stall 0.5")
rank, size = engine.rank(), engine.size()
engine.allreduce("first", [np.ones(1000, "float32")])
if rank == size - 1 and way == "late":
    time.sleep(1.8)
if rank == size - 1 and way == "leaves":
    sys.exit(0)
if rank == size - 1 and way == "raises":
    raise ValueError("this rank's own trouble")
if rank == size - 1 and way == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if way == "twice":
    try:
        engine.init()
    except engine.DdlError as error:
        assert error.code == engine.NOT_READY, error
try:
    engine.allreduce("second", [np.ones(1000, "float32")])
except engine.DdlError as error:
    print(f"\nREPORTED {rank} {error.code} {error.message}", flush=True)
    sys.exit(3)
if way == "mpi4py":
    assert MPI.COMM_WORLD.allreduce(1) == size
print(f"\nDONE {rank}", flush=True)

"""As plan.py, with the tensors on GPUs; `BY` tells how they were reduced. Runs on real GPUs as on the stand-in.

    mpirun -np N python gpu_plan.py PLAN

The plan's `on_host` are ranks whose tensors stay in the host's memory; `on_first` takes GPU 0 on every rank.
"""

import functools
import os
import sys

import engine
import plan

wanted = plan.read(sys.argv[1])
rank, local_rank = int(os.environ["OMPI_COMM_WORLD_RANK"]), int(os.environ["OMPI_COMM_WORLD_LOCAL_RANK"])
if rank in wanted.get("on_host", ()):
    plan.main(wanted)
else:
    import gpu

    if not wanted.get("on_first") and gpu.count() > 1:
        gpu.cuda.cudaSetDevice(local_rank)
    try:
        plan.main(wanted, functools.partial(gpu.Handle, gpu.make_stream()))
    except engine.DdlError as error:
        print(f"\nREPORTED {rank} {error.code} {error.message}", flush=True)
        sys.exit(3)
    print(f"\nBY {rank} {gpu.algorithm()}", flush=True)

"""Run under mpirun: one rank ends early. The job must fail, and soon; the other ranks must not wait for it.

    ending_early.py raise | exit | raise-exit | fewer-steps | in-step

With `raise`, rank 0 is busy with something else for 20 seconds, and must not get to its end; with the others it waits
for rank 1. With `all-well`, rank 1 ends early without owing anything: the job must succeed.
"""

from __future__ import annotations

import sys
import time

import ddl
import numpy as np
import tensorflow as tf

BUSY_S = {"raise": 20, "all-well": 3}  # 3 seconds is longer than it takes to notice that rank 1 has shut down


def step(number: int) -> None:
    ddl.allreduce_n([tf.constant([float(number)])])


def end_early(how: str) -> None:
    if how == "raise":
        raise RuntimeError("rank 1 fails on purpose")
    if how == "exit":
        sys.exit(3)
    if how == "raise-exit":
        raise SystemExit(3)
    if how == "in-step":
        tf.function(lambda: tf.numpy_function(fail, [], tf.float32))()


def fail() -> np.ndarray:
    raise RuntimeError("rank 1 fails on purpose, inside a tf.function")


def main(how: str) -> None:
    for number in range(3):
        step(number)
    if ddl.rank() == 1:
        end_early(how)
    elif how in BUSY_S:
        time.sleep(BUSY_S[how])
    else:
        step(3)
    print(f"rank {ddl.rank()}: reached the end", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

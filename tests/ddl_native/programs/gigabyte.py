"""One tensor of 2^28 fp32 numbers, reduced in place: 1 GiB a rank and little more.

mpirun -np N python gigabyte.py
"""

import engine
import numpy as np

engine.init()
rank, size = engine.rank(), engine.size()
array = np.tile(np.arange(1024, dtype="float32") + rank, 1 << 18)
made = engine.allreduce("gigabyte", [array], in_place=True)[0]
right = np.arange(1024, dtype="float32") * size + size * (size - 1) // 2
assert made.nbytes == 1 << 30
assert (made.reshape(-1, 1024) == right).all()
print(f"\nRIGHT {rank}", flush=True)

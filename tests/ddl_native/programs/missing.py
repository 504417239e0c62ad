"""Ranks that never start ddl: the ranks LIST (`0`, `1,2`) do WAY, the others import ddl.

mpirun -np N python missing.py LIST WAY
"""

import os
import sys
import time

rank, absent = os.environ["OMPI_COMM_WORLD_RANK"], sys.argv[1].split(",")
way = sys.argv[2] if rank in absent else "import"
options = os.environ["DDL_OPTIONS"]
if way == "late":
    time.sleep(4)
elif way == "goes-on":
    time.sleep(300)
elif way == "ends":
    sys.exit(0)
elif way == "fails":
    sys.exit(3)
elif way in ("without-options", "without-init"):
    del os.environ["DDL_OPTIONS"]
import ddl

if way == "without-options":
    import numpy as np

    ddl.allreduce_n([np.ones(1)])
if way == "without-init":
    time.sleep(300)
print("GOES ON", ddl.size(), flush=True)

"""Runs as each rank of `ranks`, `ddl` and `ops` in prove.py: says its number, how many there are, what they add up to.

    mpirun -np 2 python -c PROGRAM '{"mpi4py": true, "ddl": false}'

It is one file and needs nothing but Python 2.7 or 3.5.
"""

import json
import os
import sys

asked = json.loads(sys.argv[1])
answer = {"rank": int(os.environ["OMPI_COMM_WORLD_RANK"]), "size": int(os.environ["OMPI_COMM_WORLD_SIZE"])}
if asked["ddl"]:
    import ddl

    answer = {"rank": ddl.rank(), "size": ddl.size(), "file": ddl.__file__}
elif asked.get("ops"):
    import tensorflow as tf

    library = tf.load_op_library("ddl_MDR.so")
    values = [1.0 + answer["rank"], 2.0 + 2 * answer["rank"]]
    if hasattr(tf, "Session"):  # TensorFlow 1; or 2 under its 1.x names
        with tf.Session() as session:
            session.run(library.init(0, mode=""))
            answer["sums"] = session.run(library.all_reduce(tf.constant(values), op="sum")).tolist()
    else:
        library.init(0, mode="")
        answer["sums"] = library.all_reduce(tf.constant(values), op="sum").numpy().tolist()
elif asked["mpi4py"]:
    from mpi4py import MPI

    ranks = MPI.COMM_WORLD
    answer = {"rank": ranks.rank, "size": ranks.size, "sum": ranks.allreduce(ranks.rank + 1)}
# In one piece: the ranks share one output.
os.write(1, ("\nRANK %s\n" % json.dumps(answer)).encode())

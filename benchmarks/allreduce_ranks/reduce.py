"""One way of reducing, as a TensorFlow program has it. Rank 0 prints a line of seconds for each case.

    mpirun -np 2 python reduce.py WAY STEPS SIZES...        SIZES: elements of a case's tensors, joined by commas

Every way reads the same variables and gives the same sums, which are looked at. `strategy` is no MPI: its ranks find
each other over TCP on loopback.
"""

import json
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
RANK, SIZE = int(os.environ["OMPI_COMM_WORLD_RANK"]), int(os.environ["OMPI_COMM_WORLD_SIZE"])
if sys.argv[1] == "strategy":
    WORKERS = [f"127.0.0.1:{12000 + rank}" for rank in range(SIZE)]
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": WORKERS}, "task": {"type": "worker", "index": RANK}})

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
LITTLE = 100_000  # elements below which a step is over so soon that ten times as many are taken


def ddl():
    """The ops, initialised."""
    library = tf.load_op_library("ddl_MDR.so")
    library.init(0, mode=f"-mode p:1x{SIZE}")
    return library


def horovod():
    sys.path.append(f"{os.environ['DATA_DIR']}/packages")
    import horovod.tensorflow as hvd

    hvd.init()
    return hvd


def variables(sizes):
    return [tf.Variable(tf.ones([size]) * (RANK + 1), trainable=False) for size in sizes]


def used(made):
    """A number that every sum goes into: TensorFlow leaves out what nothing needs, Horovod's ops among it."""
    return tf.add_n([one[0] for one in made])


def in_graph(sizes, reduce):
    """A step is a call of a session that was made ready; what it gives stays in TensorFlow."""
    with tf.Graph().as_default():
        given = [tf1.get_variable(f"v{i}", initializer=np.full(n, RANK + 1, "float32")) for i, n in enumerate(sizes)]
        made = reduce([tf.identity(one) for one in given])
        session = tf1.Session()
        session.run(tf1.global_variables_initializer())
        first = session.run([one[0] for one in made])
        return session.make_callable(used(made).op), first


def in_function(sizes, reduce):
    given = variables(sizes)
    step = tf.function(lambda: used(reduce([tf.identity(one) for one in given])))
    step()
    return step, [one[0].numpy() for one in reduce(given)]


def in_keras(sizes, reduce):
    """A step of an optimizer over gradients that are there: what averaging adds to Keras."""
    given = variables(sizes)
    trained = [tf.Variable(tf.zeros([size])) for size in sizes]
    optimizer = tf.keras.optimizers.SGD(0.0)
    optimizer.build(trained)

    @tf.function
    def step():
        optimizer.apply(reduce([tf.identity(one) for one in given]), trained)

    step()
    return step, [one[0].numpy() for one in reduce(given)]


def way_ddl_graph(sizes):
    library = LIBRARY or ddl()
    return in_graph(sizes, lambda xs: library.all_reduce_n(xs, op="sum", key=f"{len(sizes)} {sizes[0]}"))


def way_ddl_function(sizes):
    library = LIBRARY or ddl()
    return in_function(sizes, lambda xs: library.all_reduce_n(xs, op="sum", key=f"{len(sizes)} {sizes[0]}"))


def way_ddl_keras(sizes):
    library = LIBRARY or ddl()
    return in_keras(sizes, lambda xs: library.all_reduce_n(xs, op="sum", key=f"{len(sizes)} {sizes[0]}"))


def way_horovod_graph(sizes):
    hvd = LIBRARY or horovod()
    return in_graph(
        sizes, lambda xs: [hvd.allreduce(x, op=hvd.Sum, name=f"{len(sizes)}-{i}") for i, x in enumerate(xs)]
    )


def way_horovod_function(sizes):
    hvd = LIBRARY or horovod()
    return in_function(
        sizes, lambda xs: [hvd.allreduce(x, op=hvd.Sum, name=f"f{len(sizes)}-{i}") for i, x in enumerate(xs)]
    )


def way_mpi4py_function(sizes):
    from mpi4py import MPI

    def sums(*arrays):
        made = [np.empty_like(array) for array in arrays]
        for array, one in zip(arrays, made, strict=True):
            MPI.COMM_WORLD.Allreduce(array, one)
        return made

    # Of one tensor numpy_function makes no list.
    return in_function(sizes, lambda xs: tf.nest.flatten(tf.numpy_function(sums, xs, [tf.float32] * len(xs))))


def way_strategy(sizes):
    given = [tf.constant(np.full(size, RANK + 1, "float32")) for size in sizes]

    def replica():
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, [tf.identity(one) for one in given])

    whole = tf.function(lambda: LIBRARY.run(replica))
    first = [one[0].numpy() for one in whole()]
    step = tf.function(lambda: used(LIBRARY.run(replica)))
    step()
    return step, first


LIBRARY = None


def main(way, steps, cases):
    global LIBRARY  # noqa: PLW0603 - made once, whichever way asks
    if way == "strategy":
        LIBRARY = tf.distribute.MultiWorkerMirroredStrategy()
    else:
        LIBRARY = {"ddl": ddl, "horovod": horovod}.get(way.partition("_")[0], lambda: None)()
    for number, words in enumerate(cases):
        sizes = [int(word) for word in words.split(",")]
        step, first = globals()[f"way_{way}"](sizes)
        assert all(value == SIZE * (SIZE + 1) / 2 for value in first), first[:3]
        took = []
        for _ in range(steps * (10 if max(sizes) < LITTLE else 1)):
            begin = time.perf_counter()
            step()
            took.append(time.perf_counter() - begin)
        # Printed afterwards: passing a line on takes mpirun as long as a small step takes, on the same processors.
        if RANK == 0:
            print(f"STEPS {way} {number}", *(f"{seconds:.9f}" for seconds in took), flush=True)


main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
if sys.argv[1] == "strategy":
    os._exit(0)  # its servers wait for each other, and that is not what is measured

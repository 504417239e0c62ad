"""Steps of a small convolutional network on digits of 28 × 28, 100 a rank. Rank 0 prints a line of their seconds.

    mpirun -np 2 python train.py WAY STEPS          WAY: alone, ddl, horovod, mpi4py, strategy

`alone` is rank 0 on its own share of the cores: the other rank ends at once. At the end each rank prints a sum of its
weights.
"""

import json
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
WAY, STEPS = sys.argv[1], int(sys.argv[2])
RANK, SIZE = int(os.environ["OMPI_COMM_WORLD_RANK"]), int(os.environ["OMPI_COMM_WORLD_SIZE"])
if WAY == "alone" and RANK > 0:
    sys.exit()
if WAY == "strategy":
    WORKERS = [f"127.0.0.1:{12000 + rank}" for rank in range(SIZE)]
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": WORKERS}, "task": {"type": "worker", "index": RANK}})

import numpy as np
import tensorflow as tf


def averaging():
    """What makes gradients of this rank those of all."""
    if WAY == "ddl":
        library = tf.load_op_library("ddl_MDR.so")
        library.init(0, mode="")
        return lambda gradients: library.all_reduce_n(gradients, op="avg", key="gradients")
    if WAY == "horovod":
        sys.path.append(f"{os.environ['DATA_DIR']}/packages")
        import horovod.tensorflow as hvd

        hvd.init()
        return lambda gradients: [hvd.allreduce(one, op=hvd.Average) for one in gradients]
    if WAY == "mpi4py":
        from mpi4py import MPI

        def averages(*arrays):
            made = [np.empty_like(array) for array in arrays]
            for array, one in zip(arrays, made, strict=True):
                MPI.COMM_WORLD.Allreduce(array, one)
                np.divide(one, SIZE, out=one)
            return made

        return lambda gradients: tf.numpy_function(averages, gradients, [tf.float32] * len(gradients))
    return lambda gradients: gradients


STRATEGY = tf.distribute.MultiWorkerMirroredStrategy() if WAY == "strategy" else None
REDUCE = averaging()


def weights():
    random_state = np.random.RandomState(1)
    shapes = [(5, 5, 1, 32), (32,), (5, 5, 32, 64), (64,), (3136, 1024), (1024,), (1024, 10), (10,)]
    return [tf.Variable((random_state.randn(*shape) * 0.05).astype("float32")) for shape in shapes]


def loss_of(trained, images, digits):
    first, first_bias, second, second_bias, third, third_bias, last, last_bias = trained
    hidden = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(images, first, 1, "SAME") + first_bias), 2, 2, "SAME")
    hidden = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(hidden, second, 1, "SAME") + second_bias), 2, 2, "SAME")
    hidden = tf.nn.relu(tf.reshape(hidden, [-1, 3136]) @ third + third_bias)
    reported = tf.nn.sparse_softmax_cross_entropy_with_logits(digits, hidden @ last + last_bias)
    return tf.reduce_mean(reported)


if STRATEGY:
    with STRATEGY.scope():
        TRAINED = weights()
else:
    TRAINED = weights()


def one_step(images, digits):
    with tf.GradientTape() as tape:
        loss = loss_of(TRAINED, images, digits)
    gradients = tape.gradient(loss, TRAINED)
    if STRATEGY:
        gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
    for variable, gradient in zip(TRAINED, REDUCE(gradients), strict=True):
        variable.assign_sub(0.01 * gradient)
    return loss


step = tf.function(lambda *batch: STRATEGY.run(one_step, args=batch)) if STRATEGY else tf.function(one_step)
random_state = np.random.RandomState(10 + RANK)
took = []
for _ in range(STEPS + 3):
    batch = (
        tf.constant(random_state.rand(100, 28, 28, 1).astype("float32")),
        tf.constant(random_state.randint(0, 10, 100)),
    )
    begin = time.perf_counter()
    float(step(*batch).numpy() if not STRATEGY else step(*batch))
    took.append(time.perf_counter() - begin)
if RANK == 0:
    print(f"STEPS train_{WAY} 0", *(f"{seconds:.9f}" for seconds in took[3:]), flush=True)
print(f"WEIGHTS {WAY} {float(sum(tf.reduce_sum(tf.cast(one, tf.float64)) for one in TRAINED))!r}", flush=True)
if WAY == "strategy":
    os._exit(0)  # its servers wait for each other

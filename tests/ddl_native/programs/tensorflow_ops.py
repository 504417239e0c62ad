"""The ops in TensorFlow, in the ways in which programs use them; values are compared with NumPy's.

    mpirun -np N python tensorflow_ops.py WAY

Needs nothing but TensorFlow (1.5 to 2.21) and `ddl_MDR.so` in the library path; Python 3.5 can read it.
"""

import os
import sys
import threading

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1 if hasattr(tf, "compat") and hasattr(tf.compat, "v1") else tf
RANK, SIZE = int(os.environ["OMPI_COMM_WORLD_RANK"]), int(os.environ["OMPI_COMM_WORLD_SIZE"])
TOTAL = sum(range(1, SIZE + 1))
TYPES = ("float16", "float32", "float64", "int32", "int64")

ddl = tf.load_op_library("ddl_MDR.so")


def session(graph):
    with graph.as_default():
        return tf1.Session(graph=graph)


def init():
    """As the old ddl.py has it: the op `Init` once per process, run in a session of its own."""
    graph = tf.Graph()
    with graph.as_default(), tf1.Session() as started:
        started.run(ddl.init(0, mode="-mode p:1x%d" % SIZE))


def graph():
    """Every op and type; averages, lists, broadcasts in a chain of control dependencies, shapes known before."""
    init()
    with tf.Graph().as_default() as made:
        mine = [tf.constant(np.full((3, 4), RANK + 1), dtype=kind) for kind in TYPES]
        sums = [ddl.all_reduce(x, op="sum") for x in mine]
        assert all(y.shape.as_list() == [3, 4] for y in sums)
        means = [ddl.all_reduce(x, op="avg") for x in mine[:3]]
        extremes = [ddl.all_reduce(mine[1], op="min"), ddl.all_reduce(mine[4], op="max")]
        listed = ddl.all_reduce_n([mine[1], mine[1][0], mine[3], tf.zeros([0, 7])], op="sum")
        first = ddl.bcast(tf.constant([RANK + 0.5, RANK]))
        with tf.control_dependencies([first]):
            second = ddl.bcast(tf.constant([RANK == 0, RANK == 1]))
    with session(made) as running:
        for y in running.run(sums):
            assert (y == TOTAL).all() and y.shape == (3, 4), y
        for y in running.run(means):
            assert np.allclose(y.astype(float), TOTAL / float(SIZE), rtol=1e-3), y
        low, high = running.run(extremes)
        assert (low == 1).all() and (high == SIZE).all()
        a, b, c, d = running.run(listed)
        assert (a == TOTAL).all() and b.shape == (4,) and (c == TOTAL).all() and d.shape == (0, 7)
        one, two = running.run([first, second])
        assert one.tolist() == [0.5, 0.0] and two.tolist() == [True, False]


def orders():
    """Two hundred ops of one graph that TensorFlow starts in any order, many times over."""
    init()
    with tf.Graph().as_default() as made:
        fed = tf1.placeholder(tf.float32, [])
        results = [ddl.all_reduce(fed * float(index), op="sum", name="op_%d" % index) for index in range(200)]
    with session(made) as running:
        for step in range(20):
            found = running.run(results, {fed: step * (RANK + 1.0)})
            assert found == [step * TOTAL * float(index) for index in range(200)], found


def two_graphs():
    """Two graphs with a session each, used in turn and, with keys, at the same time."""
    init()
    graphs = [tf.Graph(), tf.Graph()]
    results = []
    for number, made in enumerate(graphs):
        with made.as_default():
            x = tf.constant([1.0 + RANK + number] * 10000)
            results.append((ddl.all_reduce(x, op="sum"), ddl.all_reduce(x, op="sum", key="graph %d" % number)))
    running = [session(made) for made in graphs]
    for _ in range(10):
        for number in (0, 1):
            assert (running[number].run(results[number][0]) == TOTAL + SIZE * number).all()
    wrong = []

    def keep_running(number):
        for _ in range(100):
            if not (running[number].run(results[number][1]) == TOTAL + SIZE * number).all():
                wrong.append(number)

    threads = [threading.Thread(target=keep_running, args=(number,)) for number in (0, 1)]
    for thread in threads if RANK else threads[::-1]:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def difference():
    """A difference between ranks is an error of TensorFlow's that names the op; the session goes on."""
    init()
    with tf.Graph().as_default() as made:
        bad = ddl.all_reduce(tf.zeros([2, 3 + RANK]), op="sum", name="gradients_of_a_layer")
        good = ddl.all_reduce(tf.ones([2]), op="sum")
    with session(made) as running:
        try:
            running.run(bad)
        except tf.errors.InvalidArgumentError as error:
            assert "gradients_of_a_layer: ranks differ: " in str(error), error
        else:
            raise AssertionError("no error")
        assert (running.run(good) == SIZE).all()


def before_init():
    """An op before `Init` says so."""
    with tf.Graph().as_default() as made:
        early = ddl.all_reduce(tf.ones([2]), op="sum")
    with session(made) as running:
        try:
            running.run(early)
        except tf.errors.FailedPreconditionError as error:
            assert "ddl is not initialised" in str(error)
        else:
            raise AssertionError("no error")


def gpu_placed():
    """The old ddl.py asks for /gpu:0. The ops have kernels for it; here soft placement takes them to the CPU."""
    init()
    with tf.Graph().as_default() as made, tf.device("/gpu:0"):
        result = ddl.bcast(tf.constant([RANK + 1.0]))
    with made.as_default(), tf1.Session(config=tf1.ConfigProto(allow_soft_placement=True)) as running:
        assert running.run(result).tolist() == [1.0]


def eager():
    """One after the other, from several threads, and as a step of a function."""
    ddl.init(0, mode="")
    for step in range(50):
        assert (
            ddl.all_reduce(tf.fill([1000], float(RANK + step)), op="sum").numpy() == TOTAL - SIZE + SIZE * step
        ).all()
    x = tf.Variable(tf.fill([100], RANK + 1.0))
    assert ddl.bcast(x).numpy().tolist() == [1.0] * 100
    assert x.numpy().tolist() == [RANK + 1.0] * 100  # a variable's memory is not given away
    y = tf.constant([RANK + 1.0])
    assert ddl.all_reduce(y, op="sum").numpy().tolist() == [TOTAL]
    assert y.numpy().tolist() == [RANK + 1.0]

    @tf.function
    def step(value):
        parts = ddl.all_reduce_n([value, value[0] * 2.0, tf.cast(value, tf.int32)], op="sum")
        return ddl.all_reduce(parts[1], op="avg", key="second"), parts[2]

    for number in range(20):
        single, whole = step(tf.fill([3], RANK + 1.0 + number))
        assert single.numpy() == 2 * (TOTAL + SIZE * number) and (whole.numpy() == TOTAL + SIZE * number).all()


def retraced():
    """A function called with other shapes is another trace; ranks that do the same stay together."""
    ddl.init(0, mode="")
    step = tf.function(lambda value: ddl.all_reduce(value, op="sum"))
    for length in (1, 5, 1, 7, 5, 1):
        assert step(tf.fill([length], RANK + 1.0)).numpy().tolist() == [TOTAL] * length


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    os.write(1, ("\nRIGHT %d\n" % RANK).encode())

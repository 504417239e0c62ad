"""Gradients through `ddl.bcast` and `ddl.allreduce_n`, against NumPy, in every way in which TensorFlow takes them.

    mpirun -np N python gradients.py eager | function | graph

Each rank has a loss of its own; the gradient is that of all ranks' losses together with respect to this rank's tensor.
"""

import sys

import ddl
import numpy as np
import tensorflow as tf

HOW = sys.argv[1]
RANK, SIZE = ddl.rank(), ddl.size()
RANKS = range(SIZE)
COMPLEX = ("complex64", "complex128")
tf1 = tf.compat.v1


def value(rank, shape, dtype, seed=0):
    made = np.random.default_rng(100 * seed + rank).integers(-4, 5, shape)
    return (made * (1 + 2j) if dtype in COMPLEX else made).astype(dtype)


def weights(rank, shape, dtype):
    return value(rank, shape, dtype, seed=7)


def conj(array, dtype):
    """TensorFlow's gradients of complex tensors are the conjugates."""
    return np.conj(array) if dtype in COMPLEX else array


def run(program, *arrays):
    """What a function of tensors gives, the same in all three ways."""
    if HOW == "graph":
        with tf.Graph().as_default(), tf1.Session() as session:
            return session.run(program(*map(tf.constant, arrays)))
    made = (tf.function(program) if HOW == "function" else program)(*map(tf.constant, arrays))
    return tf.nest.map_structure(lambda tensor: tensor.numpy(), made)


def gradient(function, sources, grads=None):
    """As `tf.gradients`, which a version 1 graph has alone."""
    if HOW == "graph":
        return tf.gradients(function(*sources), sources, grads)
    with tf.GradientTape() as tape:
        tape.watch(sources)
        target = function(*sources)
    return tape.gradient(target, sources, grads)


def same(found, expected, what):
    np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=f"{HOW}: {what}")


def broadcasts():
    for dtype in ("float32", "float64", *COMPLEX):
        for shape in ((), (5,), (2, 3), (0, 2)):
            for root in sorted({0, SIZE - 1}):

                def program(x, w, root=root):
                    return gradient(lambda x: tf.reduce_sum(tf.math.real(ddl.bcast(x, root) * w)), [x])[0]

                found = run(program, value(RANK, shape, dtype), weights(RANK, shape, dtype))
                total = sum(conj(weights(rank, shape, dtype), dtype) for rank in RANKS)
                same(found, total if root == RANK else 0 * total, f"bcast of {dtype}{shape} from {root}")


def reductions():
    for dtype in ("float32", "float64", *COMPLEX):
        for average in (False, True):

            def program(x, y, w, average=average):
                def loss(x, y):
                    a, b, nothing = ddl.allreduce_n([x, y, None], average)
                    assert nothing is None
                    return tf.reduce_sum(tf.math.real(a * w)) + tf.reduce_sum(tf.math.real(b * b))

                return gradient(loss, [x, y])

            shape = (2, 3)
            x, y = value(RANK, shape, dtype), value(RANK, shape, dtype, seed=1)
            found = run(program, x, y, weights(RANK, shape, dtype))
            by = SIZE if average else 1
            reduced = sum(value(rank, shape, dtype, seed=1) for rank in RANKS) / by
            total = sum(conj(weights(rank, shape, dtype), dtype) for rank in RANKS) / by
            same(found[0], total, f"first of {dtype}, {average=}")
            same(found[1], conj(2 * reduced, dtype) * SIZE / by, f"second of {dtype}, {average=}")


def one_of_several():
    """Only one of the results is used; one is a whole number; a sparse gradient comes back; a name is given."""

    def program(x, y, whole):
        def loss(x, y):
            a, b, c = ddl.allreduce_n([x, y, whole], average=False, name="mixed")
            del b, c
            return tf.reduce_sum(tf.gather(a, [1, 1, RANK % 2]))

        return gradient(loss, [x, y])

    x = np.arange(4, dtype="float32")
    unused, whole = np.ones(2, "float64"), np.arange(3, dtype="int32")

    def with_zeros(x, y, whole):
        first, second = program(x, y, whole)
        return first, tf.zeros_like(y) if second is None else second

    found = run(with_zeros, x, unused, whole)
    counts = np.zeros(4)
    for rank in RANKS:
        np.add.at(counts, [1, 1, rank % 2], 1)
    same(found[0], counts, "of a gather")
    same(found[1], 0 * unused, "of what is not used")


def several_and_branches():
    """Many in one backward pass, whose order TensorFlow chooses; within `tf.cond`; stopped on the way."""

    def program(x):
        def loss(x):
            parts = [ddl.allreduce_n([x * float(number)], average=False)[0] for number in range(8)]
            parts += [ddl.bcast(x * float(number), root=number % SIZE) for number in range(8)]
            parts.append(tf.stop_gradient(ddl.bcast(x)))
            total = tf.add_n([part * float(number + RANK) for number, part in enumerate(parts)])
            chosen = tf.cond(tf.reduce_sum(x) > -1e9, lambda: ddl.allreduce_n([total])[0], lambda: total)
            return tf.reduce_sum(chosen)

        return gradient(loss, [x])[0]

    found = run(program, np.full(3, RANK + 1, "float32"))
    # Of the average: the gradient is 1 on each rank.
    expected = sum(number * sum(number + rank for rank in RANKS) for number in range(8))
    for number in range(8):
        if number % SIZE == RANK:
            expected += number * sum(number + 8 + rank for rank in RANKS)
    same(found, np.full(3, expected), "of many")


def second_order():
    """L = sum over ranks of w_r · y³, where y is the root's x, or the sum: the gradient of the gradient's square."""
    for kind in ("bcast", "sum"):

        def program(x, w, kind=kind):
            def loss(x):
                y = ddl.bcast(x, root=SIZE - 1) if kind == "bcast" else ddl.allreduce_n([x], average=False)[0]
                return tf.reduce_sum(w * y**3)

            return gradient(lambda x: tf.reduce_sum(gradient(loss, [x])[0] ** 2), [x])[0]

        shape = (4,)
        found = run(program, value(RANK, shape, "float64"), weights(RANK, shape, "float64"))
        w = sum(weights(rank, shape, "float64") for rank in RANKS)
        if kind == "bcast":
            y = value(SIZE - 1, shape, "float64")
            # At the root (3 W y²)² = 9 W² y⁴, whose derivative is 36 W² y³; elsewhere nothing.
            same(found, 36 * w**2 * y**3 if RANK == SIZE - 1 else np.zeros(shape), "second order, bcast")
        else:
            y = sum(value(rank, shape, "float64") for rank in RANKS)
            # On each rank (3 W y²)², so N times its derivative with respect to y.
            same(found, SIZE * 36 * w**2 * y**3, "second order, sum")


def within_a_loop():
    """y ← average of y · w, three times."""

    def program(x, w):
        def loss(x):
            def step(i, y):
                return i + 1, ddl.allreduce_n([y * w])[0]

            return tf.reduce_sum(tf.while_loop(lambda i, _: i < 3, step, (0, x))[1])

        return gradient(loss, [x])[0]

    found = run(program, value(RANK, (4,), "float64"), weights(RANK, (4,), "float64"))
    mean = sum(weights(rank, (4,), "float64") for rank in RANKS) / SIZE
    # All ranks' losses are Σ x·w / N · mean², so N times that is what this rank's x gets.
    same(found, weights(RANK, (4,), "float64") * mean**2, "in a loop")


def of_a_function():
    """The tape is outside, the collectives in a function, one of them in a branch and one whose result is not used."""
    if HOW == "graph":
        return

    @tf.function
    def traced(x):
        ddl.bcast(x, root=SIZE - 1)
        y = ddl.bcast(x) + ddl.allreduce_n([x], average=False)[0]
        return tf.cond(tf.reduce_sum(y) > 1e9, lambda: y, lambda: ddl.bcast(y, root=SIZE - 1))

    x, w = tf.constant(value(RANK, (3,), "float32")), tf.constant(weights(RANK, (3,), "float32"))
    for _ in range(2):
        found = gradient(lambda x: tf.reduce_sum(traced(x) * w), [x])[0]
        total = sum(weights(rank, (3,), "float32") for rank in RANKS)
        # All have the last rank's y: of its gradient, `total`, the sum gives each rank all and the broadcast rank 0.
        same(found, total * (2 if RANK == 0 else 1), "of a function")


def taken_twice():
    """Two gradients of one value."""

    def program(x):
        def twice(x):
            y = ddl.bcast(x)
            return y, y * y

        if HOW == "graph":
            one, two = twice(x)
            return tf.gradients(one, x)[0], tf.gradients(two, x)[0]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            one, two = twice(x)
        return tape.gradient(one, x), tape.gradient(two, x)

    one, two = run(program, np.full(2, RANK + 3.0))
    same(one, np.full(2, SIZE if RANK == 0 else 0.0), "first")
    same(two, np.full(2, 6.0 * SIZE if RANK == 0 else 0.0), "second")


def in_the_tape():
    """A broadcast in what `DistributedGradientTape` differentiates: the average over ranks of what each has."""
    if HOW == "graph":
        return
    x, w = tf.constant(value(RANK, (3,), "float32")), tf.constant(weights(RANK, (3,), "float32"))

    def program(x):
        with ddl.DistributedGradientTape(tf.GradientTape()) as tape:
            tape.watch(x)
            loss = tf.reduce_sum(ddl.bcast(x, root=SIZE - 1) * w)
        return tape.gradient(loss, x)

    found = (tf.function(program) if HOW == "function" else program)(x)
    same(found, sum(weights(rank, (3,), "float32") for rank in RANKS) / SIZE, "in the tape")


def main():
    for check in (
        broadcasts,
        reductions,
        one_of_several,
        several_and_branches,
        second_order,
        within_a_loop,
        of_a_function,
        taken_twice,
        in_the_tape,
    ):
        check()
    print(f"\nRIGHT {RANK}", flush=True)


if __name__ == "__main__":
    main()

"""Two ranks that draw different numbers make variables in every way there is, with IBM's own `ddl.py` beside this file.

Each rank prints a line for every fact that the test compares.
"""

import os

import numpy as np
import tensorflow as tf

RANK = int(os.environ["OMPI_COMM_WORLD_RANK"])
tf.set_random_seed(RANK)


def numbers():
    return tf.random_normal([3])


before = tf.Variable(numbers(), name="before_import")

import ddl  # noqa: E402

by_position = tf.Variable(numbers(), name="by_position")
by_name = tf.Variable(initial_value=numbers(), trainable=True, name="by_name")
by_function = tf.Variable(initial_value=numbers, trainable=True, name="by_function")
got = tf.get_variable("got", [3])
rows = tf.Variable(tf.random_normal([5, 3]), name="rows")
unused = tf.Variable(numbers(), name="unused")
of_the_rank = tf.Variable(float(RANK), trainable=False, name="of_the_rank")

trained = [before, by_position, by_name, by_function, got, rows, unused]
# Each rank pulls another way; a gradient of `rows` is sparse, `unused` has none.
far = sum(tf.reduce_sum(tf.square(one - RANK)) for one in trained[:5])
loss = far + tf.reduce_sum(tf.square(tf.gather(rows, [RANK, 2]) - RANK))
step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
start = tf.global_variables_initializer()


def show(what, values):
    print("%s %d %s" % (what, ddl.rank(), np.concatenate([value.ravel() for value in values]).tolist()))


with tf.Session() as session:
    session.run(start)
    show("first", session.run(trained))
    for _ in range(3):
        session.run(step)
    show("last", session.run(trained))
    show("own", [session.run(of_the_rank)])
for one in trained:
    if one.initial_value.op.type == "Bcast":
        print("by_ddl %d %s" % (ddl.rank(), one.op.name))
print("asked %d %s" % (ddl.rank(), by_name.device))

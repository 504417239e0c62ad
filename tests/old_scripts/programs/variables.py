"""Two ranks that draw different numbers make variables in every way there is, with IBM's own `ddl.py` beside this file.

Each rank writes what the test compares into its own file in the folder RESULT_DIR.
"""

import json
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


def now(session):
    return np.concatenate([value.ravel() for value in session.run(trained)]).tolist()


facts = {}
with tf.Session() as session:
    session.run(start)
    facts["first"] = now(session)
    for _ in range(3):
        session.run(step)
    facts["last"] = now(session)
    facts["of_the_rank"] = float(session.run(of_the_rank))
facts["given_a_broadcast_by_ddl"] = [one.op.name for one in trained if one.initial_value.op.type == "Bcast"]
facts["device"] = by_name.device
with open(os.path.join(os.environ["RESULT_DIR"], "%d.json" % ddl.rank()), "w") as file:
    json.dump(facts, file)

"""Ranks that differ about a collective: each prints the error it got, and all go on. The last rank differs.

mpirun -np N python unlike.py numpy | tensorflow | torch
"""

import sys

import ddl
import numpy as np

LAST = ddl.rank() == ddl.size() - 1


def reported(what, act):
    try:
        found = act()
    except Exception as error:
        reported = str(error).replace("\n", " ")
        print(f"\nREPORTED {what} {ddl.rank()} {type(error).__name__} {reported}", flush=True)
    else:
        print(f"\nNOTHING {what} {ddl.rank()} {found}", flush=True)


def of_arrays():
    reported("shape", lambda: ddl.bcast(np.zeros((3, 2) if LAST else (2, 3))))
    reported("dtype", lambda: ddl.bcast(np.zeros(2, "i4" if LAST else "f4")))
    fields = [("a", "i4"), ("c" if LAST else "b", "f4")]
    reported("fields", lambda: ddl.bcast(np.zeros(2, fields)))
    reported("root", lambda: ddl.bcast(np.zeros(2), root=1 if LAST else 0))
    reported("number", lambda: ddl.allreduce_n([1.0]) if LAST else ddl.allreduce_n([1.0, 2.0]))
    reported("sum", lambda: ddl.allreduce_n([np.ones(2, "i4" if LAST else "u1")], average=False))
    reported("complex", lambda: ddl.allreduce_n([np.ones((3, 2) if LAST else (2, 3), "c8")]))
    reported("name", lambda: ddl.bcast(np.zeros(3 if LAST else 2), name="the weights"))


def of_tensorflow():
    import tensorflow as tf

    def variable(name, shape, dtype="float32"):
        v = tf.Variable(tf.zeros(shape, dtype), name=name)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(v)
        return tape.gradient(loss, v).numpy()

    def read(name, shape):
        v = tf.Variable(tf.zeros(shape), name=name)
        with tf.GradientTape():
            tf.reduce_sum(v)
        return v.numpy()

    reported("variable", lambda: variable("w", (3, 2) if LAST else (2, 3)))
    reported("read", lambda: read("r", (3, 2) if LAST else (2, 3)))
    reported("tensor", lambda: ddl.bcast(tf.zeros([3, 2] if LAST else [2, 3])))
    reported("dtype", lambda: ddl.bcast(tf.zeros([2], tf.int32 if LAST else tf.float32)))
    reported("bool", lambda: ddl.bcast(tf.zeros([2], tf.bool if LAST else tf.uint8)))
    reported("complex", lambda: ddl.bcast(tf.zeros([1], tf.complex64) if LAST else tf.zeros([1], tf.float64)))
    reported("root", lambda: ddl.bcast(tf.zeros([2]), root=1 if LAST else 0))
    reported("function", tf.function(lambda: ddl.bcast(tf.zeros([3, 2] if LAST else [2, 3]))))
    reported("sum", lambda: ddl.allreduce_n([tf.ones([2], tf.int32 if LAST else tf.uint8)], average=False))
    reported("kind", lambda: ddl.bcast([1.0] if LAST else tf.zeros([2])))


def of_torch():
    import torch
    import torch.distributed as dist

    reported("dtype", lambda: ddl.bcast(torch.tensor([7, 8], dtype=torch.int32) if LAST else torch.tensor([1.5, 2.5])))
    reported("shape", lambda: ddl.bcast(torch.zeros(3, 2) if LAST else torch.zeros(2, 3)))
    reported("root", lambda: ddl.bcast(torch.zeros(2), root=1 if LAST else 0))
    reported("sum", lambda: ddl.allreduce_n([torch.ones(2, dtype=torch.int32 if LAST else torch.uint8)], average=False))
    model = torch.nn.Linear(2, 3) if LAST else torch.nn.Linear(3, 2)
    reported("model", lambda: ddl.torch.broadcast(model))
    dist.init_process_group("ddl")
    reported("group", lambda: dist.broadcast(torch.zeros(3, 2) if LAST else torch.zeros(2, 3), 1))
    reported("gather", lambda: dist.all_gather([torch.zeros(2 + LAST)] * ddl.size(), torch.zeros(2 + LAST)))


if __name__ == "__main__":
    if sys.argv[1] == "torch":
        import ddl.torch
    {"numpy": of_arrays, "tensorflow": of_tensorflow, "torch": of_torch}[sys.argv[1]]()
    assert ddl.bcast(np.arange(3)).tolist() == [0, 1, 2]
    print(f"\nWENT ON {ddl.rank()}", flush=True)

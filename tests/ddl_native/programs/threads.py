"""Collectives from several threads: those with names are right; those without never give another thread's values.

mpirun -np N python threads.py WAY
"""

import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import ddl
import numpy as np

WAY = sys.argv[1]
RANK, SIZE = ddl.rank(), ddl.size()
TF = WAY.startswith("tensorflow")
if TF:
    import tensorflow as tf
if WAY.startswith("torch"):
    import torch


def array(number):
    made = np.full(4, number, "f")
    if TF:
        return tf.constant(made)
    return torch.tensor(made) if WAY.startswith("torch") else made


def work(thread, step, named):
    """One step of one thread: what it gets must be its own."""
    number = float(1000 * thread + step)
    words = [f"of thread {thread}"] if named else [None]
    (average,) = ddl.allreduce_n([array(number)], name=words[0])
    assert np.asarray(average).tolist() == [number] * 4, f"CROSSED: {number}, {average}"
    sent = ddl.bcast(array(number), root=step % SIZE, name=words[0])
    assert np.asarray(sent).tolist() == [number] * 4, f"CROSSED: {number}, {sent}"
    assert ddl.bcast({"of": number}, name=f"an object {words[0]}" if named else None) == {"of": number}


def in_threads(act, names=(None, None)):
    """`act(0)` and `act(1)`, each in a thread, which go on as it happens."""
    errors = []

    def run(number):
        time.sleep(random.random() * 0.05)
        try:
            act(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), name=name) for number, name in enumerate(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def many(named):
    def act(thread):
        for step in range(60):
            time.sleep(random.random() * 0.002)
            work(thread, step, named)

    return act


def must_race(errors):
    assert errors, "no error was raised"
    for error in errors:
        assert "CROSSED" not in str(error), error
        assert "pass each one a name=" in str(error), error
    print(f"\nREPORTED {RANK} {errors[0]}", flush=True)


def ordered():
    """All that keeps an order by itself needs no names."""
    work(0, 0, False)
    for thread in range(3):
        worker = threading.Thread(target=work, args=(thread, 1, False))
        worker.start()
        worker.join()
    work(0, 2, False)
    with ThreadPoolExecutor(4) as pool:
        for step in range(20):
            pool.submit(work, 1, step, False).result()
    work(0, 3, False)
    if RANK == 0:  # a rank may have threads of its own, with other numbers then
        threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(3)]
        for one in threads:
            one.start()
    worker = threading.Thread(target=work, args=(9, 1, False))
    worker.start()
    worker.join()


def short():
    """Two threads with one collective each, never at once, of which another is the first on rank 0."""
    turns, results = [threading.Event(), threading.Event()], []

    def get(number):
        turns[number].wait()
        try:
            results.append(ddl.allreduce_n([array(float(number))]))
        except RuntimeError as error:
            results.append(error)

    threads = [threading.Thread(target=get, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for number in [0, 1] if RANK == 0 else [1, 0]:
        turns[number].set()
        threads[number].join()
    assert len(results) == 2
    must_race(results)


def function():
    """Two threads that call traced functions."""
    steps = [tf.function(lambda x: ddl.allreduce_n([x])[0]) for _ in range(2)]
    for number, step in enumerate(steps):
        step(tf.constant([float(number)]))
    errors = in_threads(lambda number: [steps[number](tf.constant([float(number)])) for _ in range(300)])
    must_race(errors)
    # With names they need no order.
    named = [tf.function(lambda x, n=n: ddl.allreduce_n([x], name=f"number {n}")[0]) for n in range(2)]

    def act(number):
        for step in range(100):
            value = float(1000 * number + step)
            assert named[number](tf.constant([value])).numpy() == [value]

    errors = in_threads(act)
    assert not errors, errors


def variables():
    """Models of one name that are trained first in two threads."""

    def act(number):
        for _ in range(2):
            v = tf.Variable([float(number)], name="w")
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(v * v)
            tape.gradient(loss, v)
            time.sleep(0.3)

    errors = in_threads(act)
    assert errors, "no error was raised"
    assert all("give the models of each thread names of their own" in str(error) for error in errors), errors
    print(f"\nREPORTED {RANK} {errors[0]}", flush=True)


if __name__ == "__main__":
    if WAY.endswith("named"):
        errors = in_threads(many(named=True))
        assert not errors, errors
    elif WAY.endswith("unnamed-cross"):
        must_race(in_threads(many(named=False)))
    else:
        {"ordered": ordered, "short": short, "function": function, "variables": variables}[WAY.rpartition("-")[2]]()
    print(f"\nRIGHT {RANK}", flush=True)

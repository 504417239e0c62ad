"""Runs in an image: does the framework compute, do ranks find each other, do ddl and its ops load?

    python - CHECK EXPECTATION < prove.py

CHECK is `framework`, `ranks`, `ddl` or `ops`, EXPECTATION a JSON object. The output's last line is one JSON object:
`{"ok": true, "said": "..."}`. Writes below the folder for temporary files alone.

It is one file and needs nothing but Python 2.7 or 3.5: the image is old where the framework is.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time

RANKS = 2
LINES_OF_EVIDENCE = 12


class Failed(Exception):
    """What is not as it must be."""


def framework(expected):
    """The framework imports, has its version, and multiplies two matrices on the CPU."""
    python = "%d.%d" % sys.version_info[:2]
    if expected["python"] not in ("", python):
        raise Failed("Python is %s, not %s" % (python, expected["python"]))
    name = expected["framework"]
    module = importlib.import_module(name)
    version = str(module.__version__)
    if expected["version"] and not (version + ".").startswith(expected["version"] + "."):
        raise Failed("%s is %s, not %s" % (name, version, expected["version"]))
    if name not in PRODUCTS:
        raise Failed("no computation is known for %s" % name)
    product = PRODUCTS[name](module, [[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]])
    if product != [[19.0, 22.0], [43.0, 50.0]]:
        raise Failed("%s %s multiplies two matrices to %r" % (name, version, product))
    return "%s %s on Python %s multiplies two matrices correctly" % (name, version, python)


def tensorflow_product(tf, left, right):
    if tf.__version__.startswith("1."):
        with tf.Session() as session:
            return session.run(tf.matmul(tf.constant(left), tf.constant(right))).tolist()
    return tf.linalg.matmul(tf.constant(left), tf.constant(right)).numpy().tolist()


PRODUCTS = {"tensorflow": tensorflow_product}


def ranks(expected):
    """bash is there, mpirun starts two ranks; each knows its number, and with mpi4py their sum arrives at both."""
    if not os.access("/bin/bash", os.X_OK):
        raise Failed("/bin/bash, which runs a manifest's commands, is missing; add Debian's package bash")
    answers = answers_of(expected, {"mpi4py": expected["has_mpi4py"], "ddl": False}, {})
    if not expected["has_mpi4py"]:
        return "mpirun started %d ranks, each knows its number" % RANKS
    total = sum(range(1, RANKS + 1))
    for answer in answers:
        if answer["sum"] != total:
            raise Failed("an allreduce of mpi4py gave %r in rank %d, not %d" % (answer["sum"], answer["rank"], total))
    return "mpirun started %d ranks, each knows its number, and mpi4py's allreduce is correct" % RANKS


def ddl(expected):
    """The import of ddl under mpirun connects two ranks, as its users have it."""
    answers = answers_of(expected, {"mpi4py": False, "ddl": True}, {"DDL_OPTIONS": "-mode p:1x%d" % RANKS})
    return "%s connected %d ranks" % (os.path.dirname(answers[0]["file"]), RANKS)


def ops(expected):
    """ddl_MDR.so loads by its bare name, as programs of old ask for it, and its sum over two ranks is correct."""
    answers = answers_of(expected, {"mpi4py": False, "ddl": False, "ops": True}, {})
    for answer in answers:
        if answer["sums"] != [3.0, 6.0]:
            raise Failed("the op AllReduce gave %r in rank %d, not [3.0, 6.0]" % (answer["sums"], answer["rank"]))
    return "ddl_MDR.so loads, and its AllReduce over %d ranks is correct" % RANKS


def answers_of(expected, asked, environment):
    """What each of the ranks said, in their order; raises Failed where they are not all there."""
    argv = ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", str(RANKS)]
    argv += ["--mca", "pml", "ob1", "--mca", "btl_vader_single_copy_mechanism", "none"]
    argv += [word for name in sorted(environment) for word in ("-x", name)]
    argv += [sys.executable, "-c", expected["rank_program"], json.dumps(asked)]
    status, text = run(argv, environment, expected["seconds"])
    lines = text.splitlines()
    answers = [json.loads(line[len("RANK ") :]) for line in lines if line.startswith("RANK ")]
    answers.sort(key=lambda answer: answer["rank"])
    there = [(answer["rank"], answer["size"]) for answer in answers]
    if status != 0 or there != [(rank, RANKS) for rank in range(RANKS)]:
        ended = "did not finish in %d s" % expected["seconds"] if status is None else "ended with status %d" % status
        said = "ranks answered (number, of how many): %s" % (there or "none")
        tail = [line for line in lines if line.strip()][-LINES_OF_EVIDENCE:]
        raise Failed("\n".join(["mpirun %s; %s" % (ended, said)] + tail))
    return answers


def run(argv, environment, seconds):
    """Exit status (None where it took too long) and everything that was written.

    To a file: a rank that mpirun left behind would hold a pipe open.
    """
    with tempfile.TemporaryFile() as output, open(os.devnull) as nothing:
        process = subprocess.Popen(
            argv, stdin=nothing, stdout=output, stderr=subprocess.STDOUT, env=dict(os.environ, **environment)
        )
        deadline = time.time() + seconds
        while process.poll() is None and time.time() < deadline:
            time.sleep(0.05)
        status = process.poll()
        if status is None:
            process.kill()
            process.wait()
        output.seek(0)
        return status, output.read().decode("utf-8", "replace")


CHECKS = {"framework": framework, "ranks": ranks, "ddl": ddl, "ops": ops}


def main(check, expectation):
    try:
        reply = {"ok": True, "said": CHECKS[check](json.loads(expectation))}
    except Failed as error:
        reply = {"ok": False, "said": str(error)}
    except (Exception, SystemExit) as error:  # an import may raise anything: that is what is looked for
        reply = {"ok": False, "said": "%s: %s" % (type(error).__name__, error)}
    if isinstance(reply["said"], bytes):  # Python 2.7's str may hold any bytes
        reply["said"] = reply["said"].decode("utf-8", "replace")
    sys.stdout.write("\n%s\n" % json.dumps(reply))
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

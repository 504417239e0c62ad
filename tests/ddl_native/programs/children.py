"""Processes that a rank starts, in as many ways. Each rank then goes on: its last collective must find all others.

    mpirun -np N python children.py WAY

WAY is a function's name below. What a child prints begins with CHILD; a rank that came to its end prints GOES ON.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import ddl
import numpy as np

COLLECTIVE = "import numpy as np; ddl.allreduce_n([np.ones(1, 'f')])"


def total(value=1.0):
    return float(ddl.allreduce_n([np.array([value], "f")], average=False)[0][0])


def place(_=None):
    return ddl.rank(), ddl.size(), ddl.local_rank()


def must(condition):
    if not condition:
        raise AssertionError("not as it must be")


def pool(way):
    with multiprocessing.get_context(way).Pool(2) as workers:
        must(workers.map(place, range(4)) == [place()] * 4)


def spawn():
    pool("spawn")


def forkserver():
    pool("forkserver")


def fork():
    pool("fork")


def executor():
    for way in ("fork", "spawn", "forkserver"):
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(way)) as workers:
            must(list(workers.map(place, range(4))) == [place()] * 4)


def refused(_=None):
    try:
        total()
    except RuntimeError as error:
        return str(error)
    return ""


def refused_in_workers():
    for way in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(way).Pool(1) as workers:
            (said,) = workers.map(refused, [0])
            must(f"was started by rank {ddl.rank()}'s (process {os.getpid()}): collectives belong to" in said)


def fail(_=None):
    raise ValueError("of a worker")


def worker_raises():
    for way in ("fork", "spawn"):
        process = multiprocessing.get_context(way).Process(target=fail)
        process.start()
        process.join()
        must(process.exitcode == 1)


def forked(act):
    """The status of a child that `os.fork` makes and that does `act`."""
    pid = os.fork()
    if pid == 0:
        act()
        sys.exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def forked_raises():
    must(forked(fail) == 1)


def forked_exits():
    for status in (0, 3):
        must(forked(lambda code=status: sys.exit(code)) == status)


def forked_interrupted():
    must(forked(lambda: os.kill(os.getpid(), signal.SIGTERM)) == -signal.SIGTERM)


def forked_thread_raises():
    def in_thread():
        import threading

        thread = threading.Thread(target=total)  # fails with "ddl: ..."
        thread.start()
        thread.join()

    must(forked(in_thread) == 0)


def forked_collective():
    must(forked(total) == 1)


def forked_amid_collectives():
    for _ in range(20):
        must(forked(lambda: None) == 0)
        must(total() == ddl.size())


def forked_twice():
    must(forked(lambda: sys.exit(forked(fail))) == 1)


def shell_program(text, **options):
    return subprocess.run([sys.executable, "-c", text], check=False, capture_output=True, text=True, **options)


def program():
    done = shell_program("import ddl; print(ddl.rank(), ddl.size())")
    must((done.returncode, done.stdout, done.stderr) == (0, f"{ddl.rank()} {ddl.size()}\n", ""))


def program_without_the_environment():
    kept = {name: value for name, value in os.environ.items() if name != "DDL_ENGINE_PROCESS"}
    done = shell_program("import ddl; print(ddl.rank(), ddl.size())", env=kept)
    must((done.returncode, done.stdout, done.stderr) == (0, f"{ddl.rank()} {ddl.size()}\n", ""))


def program_collective():
    done = shell_program(f"import ddl; {COLLECTIVE}")
    must(done.returncode == 1 and "collectives belong to the rank's own process" in done.stderr)


def program_init():
    done = shell_program(f"import os; o = os.environ.pop('DDL_OPTIONS'); import ddl; ddl.init(o); {COLLECTIVE}")
    must(done.returncode == 1 and "collectives belong to the rank's own process" in done.stderr)


def program_without_options():
    kept = {name: value for name, value in os.environ.items() if name != "DDL_OPTIONS"}
    done = shell_program(f"import ddl; print(ddl.rank()); {COLLECTIVE}", env=kept)
    must(done.stdout == f"{ddl.rank()}\n")
    must("DDL_OPTIONS is not set" not in done.stderr)
    must(done.returncode == 1 and "collectives belong to the rank's own process" in done.stderr)


def program_of_a_shell():
    text = f"{sys.executable} -c 'import ddl; print(ddl.rank())' & wait; exec {sys.executable} -c 'import ddl'"
    done = subprocess.run(["bash", "-c", text], check=True, capture_output=True, text=True)
    must(done.stdout == f"{ddl.rank()}\n")


def spawned_by_os():
    argv = [sys.executable, "-c", "import ddl, sys; sys.exit(5)"]
    must(os.spawnv(os.P_WAIT, sys.executable, argv) == 5)
    pid = os.posix_spawn(sys.executable, argv, os.environ)
    must(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5)


def forked_and_replaced():
    def replace():
        os.execv(sys.executable, [sys.executable, "-c", "import ddl, sys; sys.exit(6)"])

    must(forked(replace) == 6)


def outlives():
    """A program that holds this rank's output when the rank has ended."""
    subprocess.Popen([sys.executable, "-c", "import ddl, time; print('CHILD runs', flush=True); time.sleep(300)"])
    time.sleep(2)  # until it is there


def forked_outlives():
    if os.fork() == 0:
        time.sleep(300)
        os._exit(0)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    must(total() == ddl.size())
    sys.stdout.write("GOES ON\n")

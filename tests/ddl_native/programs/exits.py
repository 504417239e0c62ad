"""The last rank ends in one of many ways while others wait for it in a collective, or (`busy`) do something else.

mpirun -np N python exits.py WAY [busy]
"""

import os
import signal
import sys
import threading
import time
from sys import exit as leave

import ddl
import numpy as np


def step(name=None):
    ddl.allreduce_n([np.ones(3, "f")], name=name)


def in_thread():
    threading.Thread(target=time.sleep, args=(1,)).start()
    sys.exit(3)


def interrupted():
    raise KeyboardInterrupt


def fail():
    raise ValueError("of this rank")


def raise_exit(status=3):
    raise SystemExit(status)


def unfinished(end):
    """With a collective under way that nobody waits for."""
    threading.Thread(target=step, args=("nobody else's",), daemon=True).start()
    time.sleep(0.5)
    end(3)


def hooked():
    """Another shows what nothing catches, as programs for pretty tracebacks do."""
    sys.excepthook = lambda *_: print("shown", file=sys.stderr)
    fail()


def caught():
    """It has not ended yet."""
    try:
        sys.exit(3)
    except SystemExit:
        time.sleep(ddl.rank())


def killed(number):
    os.kill(os.getpid(), number)
    time.sleep(60)


WAYS = {
    "exit": lambda: sys.exit(3),
    "raise-exit": raise_exit,
    "words": lambda: sys.exit("these are its words"),
    "none": lambda: sys.exit(None),
    "true": lambda: sys.exit(True),
    "large": lambda: sys.exit(259),
    "at-once": lambda: os._exit(3),
    "thread": in_thread,
    "quit": lambda: quit(3),  # noqa: PLR1722 (it does not call sys.exit)
    "imported-exit": lambda: leave(3),
    "caught-exit": caught,
    "raise-exit-0": lambda: raise_exit(0),
    "unfinished": lambda: unfinished(sys.exit),
    "unfinished-raise-exit": lambda: unfinished(raise_exit),
    "hooked-raise": hooked,
    "raise": fail,
    "interrupted": interrupted,
    "terminated": lambda: killed(signal.SIGTERM),
    "killed": lambda: killed(signal.SIGKILL),
    "exec": lambda: os.execvp("sh", ["sh", "-c", "exit 3"]),
    "exec-well": lambda: os.execlp("true", "true"),
}

step()
if ddl.rank() == ddl.size() - 1:
    WAYS[sys.argv[1]]()
if sys.argv[2:] == ["busy"]:
    time.sleep(300)
elif sys.argv[2:] == ["well"]:
    WAYS[sys.argv[1]]()
else:
    step()
print("GOES ON", flush=True)

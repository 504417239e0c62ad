"""How a job ends when one of its ranks ends early: at once, and with a reason.

mpirun ends a job when one of its processes dies. A Python process that raises does not die: at exit it waits for the
other ranks, which wait for it in their next collective. So an exception that nothing catches aborts the job, after
its traceback is printed. A rank that exits in another way (``sys.exit(1)``, or it had fewer steps than the others)
tells the engine that it leaves; what another rank still wants of it then fails there, with an exception that says so.
"""

from __future__ import annotations

import atexit
import io
import sys
import threading
from types import TracebackType

from ddl.engine import Engine


def arrange(engine: Engine) -> None:
    """Arrange for both; to be called once, by every rank, before a framework arranges for its own end."""
    print_it, print_of_thread = sys.excepthook, threading.excepthook

    def end(kind: type[BaseException]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        engine.abort(f"nothing caught its {kind.__name__}, which is shown above")

    def print_and_abort(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        print_it(kind, error, trace)
        if isinstance(sys.stderr, io.StringIO) and sys.__stderr__ is not None:
            # PyTorch's own hook calls this one, catches what it prints, and would print that later.
            sys.__stderr__.write(sys.stderr.getvalue())
            sys.__stderr__.flush()
        end(kind)

    def print_and_abort_thread(arguments: threading.ExceptHookArgs) -> None:
        print_of_thread(arguments)
        # A program may let one of its own threads die; one that failed in a collective has left the others waiting.
        if "ddl: " in str(arguments.exc_value):
            end(arguments.exc_type)

    sys.excepthook = print_and_abort
    threading.excepthook = print_and_abort_thread
    atexit.register(engine.shutdown)

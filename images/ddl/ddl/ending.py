"""How a job ends when one of its ranks ends early: at once, and with a reason.

mpirun ends a job when one of its processes dies. A Python process that raises does not die: at exit it waits for the
other ranks, which wait for it in their next collective. So an exception that nothing catches aborts the job, after
its traceback is printed. A rank that exits with another status than 0 (``sys.exit(3)``) aborts it with that status. One
that exits with 0 (it had fewer steps than the others) or becomes another program (``os.execv``) tells the engine that
it leaves; what another rank still wants of it then fails there, with an exception that says so.

Nothing of this is done in a forked child, which inherits it all: its end is its own.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

from ddl.engine import Engine
from ddl.environment import place
from ddl.exit_status import note

UNSYNCHRONISED = 86
"""The job's exit status where its ranks were not synchronised. No shell, signal or ``sysexits.h`` uses the number."""

_refusals: list[str] = []


def arrange(engine: Engine) -> None:
    """Arrange for all of it; to be called once, by every rank, before a framework arranges for its own end."""
    print_it, print_of_thread = sys.excepthook, threading.excepthook

    def end(kind: type[BaseException], error: BaseException | None) -> None:
        if not engine.is_own:
            return  # a forked child that fails is its parent's affair
        sys.stdout.flush()
        sys.stderr.flush()
        why = next((one for one in _refusals if one in str(error)), None)
        if why is not None:
            end_unsynchronised(engine, f"ranks diverged: {why.removeprefix('ddl: ')}")
        status = 128 + signal.SIGINT if issubclass(kind, KeyboardInterrupt) else 1
        engine.abort(f"nothing caught its {kind.__name__}, which is shown above", status)

    def print_and_abort(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        print_it(kind, error, trace)
        if isinstance(sys.stderr, io.StringIO) and sys.__stderr__ is not None:
            # PyTorch's own hook calls this one, catches what it prints, and would print that later.
            sys.__stderr__.write(sys.stderr.getvalue())
            sys.__stderr__.flush()
        end(kind, error)

    def print_and_abort_thread(arguments: threading.ExceptHookArgs) -> None:
        print_of_thread(arguments)
        # A program may let one of its own threads die; one that failed in a collective has left the others waiting.
        if "ddl: " in str(arguments.exc_value):
            end(arguments.exc_type, arguments.exc_value)

    note()
    sys.excepthook = print_and_abort
    threading.excepthook = print_and_abort_thread
    atexit.register(engine.close)
    for name in ("execv", "execve"):  # all of os.exec* come to these
        setattr(os, name, _leaving_first(getattr(os, name), engine))


def refusal(why: str) -> RuntimeError:
    """An error to raise where this rank would go on alone; where nothing catches it, the run ends as `ranks diverged`.

    Not a type of its own: TensorFlow raises those of Python's that a traced function raised anew, and others not.
    """
    _refusals.append(why)
    return RuntimeError(why)


def _leaving_first(execute: Callable[..., NoReturn], engine: Engine) -> Callable[..., NoReturn]:
    """Another program in this process has no engine, and the one before it does not exit."""

    @functools.wraps(execute)
    def leave_and_execute(*arguments: Any, **named: Any) -> NoReturn:
        if engine.is_own:
            engine.shutdown()
        execute(*arguments, **named)

    return leave_and_execute


def end_unsynchronised(engine: Engine | None, why: str, **details: str | float | None) -> NoReturn:
    """End every rank of the job, now, with exit status `UNSYNCHRONISED`: its ranks do not train one model.

    Under ``toolkit launch`` a control line on stdout, ``\\x1etoolkit unsynchronised {"why": ...}``, gives the run's
    supervisor the reason. It begins with the byte 0x1e, as the one that says that a rank has started.

    Args:
        engine: the started engine; None where this rank has not started it. mpirun then ends the others.
        why: for a person: what differs, on which ranks. It is printed on stderr, too.
        details: for a program, besides: the guard's ``first_step``, ``last_step``, ``variable`` and ``difference``.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if "TOOLKIT_RUN" in os.environ or "TRAINING_ID" in os.environ:
        # A line of its own, whatever the program's last output was: a progress bar has no line end.
        _write(1, f"\n\x1etoolkit unsynchronised {json.dumps({'why': why, **details})}\n")
    if engine is None:
        _write(2, f"ddl: rank {place().rank} ends the job: {why}\n")
        os._exit(UNSYNCHRONISED)
    engine.abort(why, UNSYNCHRONISED)


def _write(descriptor: int, text: str) -> None:
    """Write past Python's buffers and whatever stands for `sys.stdout`; the reader may be gone."""
    with contextlib.suppress(OSError):
        os.write(descriptor, text.encode(errors="replace"))

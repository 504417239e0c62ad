"""How a job ends if one of its ranks ends early: at once, and with a reason.

mpirun ends a job when one of its processes dies. A Python process that raises does not die at once: at exit it waits
for the other ranks, which wait for it in their next collective. So an uncaught exception aborts the job after its
traceback is printed. A rank that exits with a status other than 0 (``sys.exit(3)``) aborts it with that status. One
that exits with 0 (it had fewer steps than the others) or becomes another program (``os.execv``) shuts down its engine;
another rank that still waits for it gets an exception that says so.

None of this applies in a forked child, although it inherits the hooks: its exit concerns only itself.
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
from ddl.exit_status import record_exit_status

UNSYNCHRONISED = 86
"""Exit status of a job whose ranks were not synchronised. Not used by shells, signals or ``sysexits.h``."""

_diverged_messages: list[str] = []


def install(engine: Engine) -> None:
    """Install the hooks; called once by every rank, before a framework installs exit handlers of its own."""
    print_exception, print_thread_exception = sys.excepthook, threading.excepthook

    def abort_job(kind: type[BaseException], error: BaseException | None) -> None:
        if not engine.is_own:
            return  # a failing forked child is handled by its parent
        sys.stdout.flush()
        sys.stderr.flush()
        why = next((one for one in _diverged_messages if one in str(error)), None)
        if why is not None:
            abort_unsynchronised(engine, f"ranks diverged: {why.removeprefix('ddl: ')}")
        status = 128 + signal.SIGINT if issubclass(kind, KeyboardInterrupt) else 1
        engine.abort(f"uncaught {kind.__name__}, shown above", status)

    def print_and_abort(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        print_exception(kind, error, trace)
        if isinstance(sys.stderr, io.StringIO) and sys.__stderr__ is not None:
            # PyTorch's hook calls this one, captures what it prints, and would print it only later.
            sys.__stderr__.write(sys.stderr.getvalue())
            sys.__stderr__.flush()
        abort_job(kind, error)

    def print_and_abort_thread(arguments: threading.ExceptHookArgs) -> None:
        print_thread_exception(arguments)
        # A program may let one of its own threads die, but one that failed in a collective has left the others waiting.
        if "ddl: " in str(arguments.exc_value):
            abort_job(arguments.exc_type, arguments.exc_value)

    record_exit_status()
    sys.excepthook = print_and_abort
    threading.excepthook = print_and_abort_thread
    atexit.register(engine.close)
    for name in ("execv", "execve"):  # every os.exec* calls one of these
        setattr(os, name, _shutting_down_first(getattr(os, name), engine))


def diverged_error(why: str) -> RuntimeError:
    """An error to raise where this rank would otherwise train unsynchronised; uncaught, it ends the run as `ranks
    diverged`.

    Not an exception type of its own: TensorFlow re-raises Python's own types from a traced function, but not others.
    """
    _diverged_messages.append(why)
    return RuntimeError(why)


def _shutting_down_first(execute: Callable[..., NoReturn], engine: Engine) -> Callable[..., NoReturn]:
    """The new program in this process has no engine, and the old one never exits."""

    @functools.wraps(execute)
    def shut_down_and_execute(*arguments: Any, **named: Any) -> NoReturn:
        if engine.is_own:
            engine.shutdown()
        execute(*arguments, **named)

    return shut_down_and_execute


def abort_unsynchronised(engine: Engine | None, why: str, **details: str | float | None) -> NoReturn:
    """Abort every rank of the job with exit status `UNSYNCHRONISED`: its ranks do not train one model.

    Under ``toolkit launch`` a control line on stdout, ``\\x1etoolkit unsynchronised {"why": ...}``, tells the run's
    supervisor the reason. It begins with the byte 0x1e, like the line that reports a rank's start.

    Args:
        engine: the started engine; None if this rank has not started it, in which case mpirun ends the other ranks.
        why: for people: what differs, on which ranks. Also printed on stderr.
        details: for programs: the guard's ``first_step``, ``last_step``, ``variable`` and ``difference``.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if "TOOLKIT_RUN" in os.environ or "TRAINING_ID" in os.environ:
        # On a line of its own, whatever the program's last output was: a progress bar has no line end.
        _write(1, f"\n\x1etoolkit unsynchronised {json.dumps({'why': why, **details})}\n")
    if engine is None:
        _write(2, f"ddl: rank {place().rank} aborts the job: {why}\n")
        os._exit(UNSYNCHRONISED)
    engine.abort(why, UNSYNCHRONISED)


def _write(descriptor: int, text: str) -> None:
    """Write past Python's buffers and replacements of `sys.stdout`; the reader may be gone."""
    with contextlib.suppress(OSError):
        os.write(descriptor, text.encode(errors="replace"))

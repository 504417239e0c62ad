"""What is known of this process's exit status while Python ends: what is done at exit is not told it.

A rank that fails must not wait for the others then, which may be busy for hours. So ``sys.exit`` notes what it is
given, and Python itself notes an exception that nothing caught (``sys.last_value``). Where the main program returned,
all went well, whatever was noted. It may also have raised a ``SystemExit`` by itself, which leaves no trace but that it
did not return: `exit_status` is None then.
"""

from __future__ import annotations

import dis
import functools
import sys
import threading
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn


@dataclass
class _Noted:
    main: FrameType | None = None
    given: object = None
    left: bool = False  # by sys.exit, with what was given


_noted = _Noted()


def note() -> None:
    """Note from now on what `exit_status` needs; to be called once, while the main program runs."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        if frame.f_globals.get("__name__") == "__main__" and frame.f_code.co_name == "<module>":
            _noted.main = frame  # the outermost counts: it may execute others in its name
        frame = frame.f_back
    leave = sys.exit

    @functools.wraps(leave)
    def note_and_leave(status: object = None, /) -> NoReturn:
        if threading.current_thread() is threading.main_thread():  # else it ends that thread alone
            _noted.given, _noted.left = status, True
        leave(status)  # type: ignore[arg-type]

    sys.exit = note_and_leave


def exit_status() -> int | None:
    """What the parent will see, from 0 to 255; None where that is not known. To be asked while Python ends."""
    if _noted.main is not None:
        if _returned(_noted.main):
            return 0
        if _failed(_noted.main):
            return 1
    if _noted.left:
        return _as_status(_noted.given)
    return 0 if _noted.main is None else None


def _returned(frame: FrameType) -> bool:
    """Whether the last that was done in a frame, which is over, was to return."""
    return dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN_")


def _failed(frame: FrameType) -> bool:
    """Whether an exception that nothing caught has left it. A hook of the program's own may have shown it."""
    trace = getattr(getattr(sys, "last_value", None), "__traceback__", None)
    while trace is not None and trace.tb_frame is not frame:
        trace = trace.tb_next
    return trace is not None


def _as_status(given: object) -> int:
    if given is None:
        return 0
    return given & 0xFF if isinstance(given, int) else 1

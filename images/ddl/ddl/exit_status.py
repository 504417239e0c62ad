"""Determines this process's exit status while Python shuts down: Python does not pass it to exit handlers.

A rank that fails must not wait for the others then, which may be busy for hours. So ``sys.exit`` records its argument,
and Python itself records an uncaught exception (``sys.last_value``). If the main program returned, the status is 0,
whatever was recorded. It may also have raised a ``SystemExit`` directly, which leaves no trace except that it did not
return: `exit_status` is None then.
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
class _ExitState:
    main: FrameType | None = None
    status: object = None
    called_exit: bool = False  # sys.exit was called, with `status`


_state = _ExitState()


def record_exit_status() -> None:
    """Start recording what `exit_status` needs; called once, while the main program runs."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        if frame.f_globals.get("__name__") == "__main__" and frame.f_code.co_name == "<module>":
            _state.main = frame  # the outermost counts: it may execute others under its name
        frame = frame.f_back
    original_exit = sys.exit

    @functools.wraps(original_exit)
    def record_and_exit(status: object = None, /) -> NoReturn:
        if threading.current_thread() is threading.main_thread():  # otherwise only that thread ends
            _state.status, _state.called_exit = status, True
        original_exit(status)  # type: ignore[arg-type]

    sys.exit = record_and_exit


def exit_status() -> int | None:
    """The status that the parent will see, 0 to 255; None if unknown. Called while Python shuts down."""
    if _state.main is not None:
        if _returned(_state.main):
            return 0
        if _failed(_state.main):
            return 1
    if _state.called_exit:
        return _as_status(_state.status)
    return 0 if _state.main is None else None


def _returned(frame: FrameType) -> bool:
    """Whether a finished frame's last instruction was a return."""
    return dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN_")


def _failed(frame: FrameType) -> bool:
    """Whether an uncaught exception left the frame. A hook of the program's own may have printed it."""
    trace = getattr(getattr(sys, "last_value", None), "__traceback__", None)
    while trace is not None and trace.tb_frame is not frame:
        trace = trace.tb_next
    return trace is not None


def _as_status(status: object) -> int:
    if status is None:
        return 0
    return status & 0xFF if isinstance(status, int) else 1

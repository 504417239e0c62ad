"""Interrupts that are not lost.

Python raises `KeyboardInterrupt` between two steps of whatever runs; where that is a callback of its own (of a weak
reference, of an import's lock) the exception is printed and dropped, and the program goes on. So it is remembered, too,
and asked for where it would be a pity: before the next step of a long command.
"""

from __future__ import annotations

import signal
from threading import Event
from types import FrameType
from typing import NoReturn

_asked = Event()
"""A process has one set of signals."""
_last = [signal.SIGINT]


def heed() -> None:
    """Take Ctrl-C, `kill` and a closed terminal for one thing, each unless it is ignored, as under nohup."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def check() -> None:
    """Raise `KeyboardInterrupt` where one was asked for and nobody has answered it."""
    if _asked.is_set():
        raise KeyboardInterrupt


def answered() -> None:
    """What was asked for is being done."""
    _asked.clear()


def number() -> signal.Signals:
    """The signal that came last; a Ctrl-C before any came."""
    return _last[0]


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    _last[0] = signal.Signals(number)
    _asked.set()
    raise KeyboardInterrupt

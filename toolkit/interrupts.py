"""Interrupts that are not lost.

Python raises `KeyboardInterrupt` between two steps of whatever runs; where that is a callback of its own (of a weak
reference, of an import's lock) the exception is printed and dropped, and the program goes on. So it is remembered, too,
and asked for where it would be a pity: before the next step of a long command.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_asked = Event()
"""A process has one set of signals."""
_last = [signal.SIGINT]


def heed() -> None:
    """Take Ctrl-C, `kill` and a closed terminal for one thing, each unless it is ignored, as under nohup."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def check() -> None:
    """Raise `KeyboardInterrupt` where one was asked for and nobody has answered it."""
    if _asked.is_set():
        raise KeyboardInterrupt


def answered() -> None:
    """What was asked for is being done."""
    _asked.clear()


@contextmanager
def ignored() -> Iterator[None]:
    """Go on to the end, whatever signals come: what is begun here must not be left half done."""
    before = {}
    for number in _SIGNALS:
        with suppress(ValueError):  # not in the main thread, which alone gets signals
            before[number] = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def number() -> signal.Signals:
    """The signal that came last; a Ctrl-C before any came."""
    return _last[0]


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    _last[0] = signal.Signals(number)
    _asked.set()
    raise KeyboardInterrupt

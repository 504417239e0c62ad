"""Interrupts that do not get lost.

Python raises `KeyboardInterrupt` between two instructions of any code; in a callback of its own (of a weak reference,
of an import's lock) the exception is printed and dropped, and the program continues. So it is also recorded, and
checked where it matters: before the next step of a long command.
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
    """Handle Ctrl-C, `kill` and a closed terminal in the same way, each unless it is ignored, as under nohup."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def check() -> None:
    """Raise `KeyboardInterrupt` if an interrupt is pending."""
    if _asked.is_set():
        raise KeyboardInterrupt


def answered() -> None:
    """The interrupt is being handled."""
    _asked.clear()


@contextmanager
def ignored() -> Iterator[None]:
    """Continue to the end, whatever signals arrive: what is begun here must not be left half done."""
    before = {}
    for number in _SIGNALS:
        with suppress(ValueError):  # not in the main thread, the only one to get signals
            before[number] = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def number() -> signal.Signals:
    """The last signal; SIGINT if there was none."""
    return _last[0]


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    _last[0] = signal.Signals(number)
    _asked.set()
    raise KeyboardInterrupt

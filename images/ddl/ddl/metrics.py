"""Numbers of the program's own, for ``toolkit metrics``: a line of output each, at most one a second for a name.

A line costs some microseconds and a place in the run's log, so a program may call ``log_metric`` in every step.
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

MARK = "ddl: metric"
"""How a line begins; ``toolkit/metrics/ddl_lines.py`` reads it."""
_SECONDS = 1.0
_MOST_NAMES = 256
_LONGEST = 80


class MetricLog:
    """Writes metrics by ``write``; ``clock`` gives seconds."""

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._written: dict[str, float] = {}
        self._waiting: dict[str, tuple[Any, int | None]] = {}
        self._turn = threading.Lock()

    def add(self, name: str, value: Any, step: int | None) -> None:
        """Write the value, or keep it as the name's last if there was one within the last second."""
        now = self._clock()
        with self._turn:
            last = self._written.get(name)
            if last is not None and now - last < _SECONDS:
                self._waiting[name] = value, step
                return
            if last is None and len(self._written) >= _MOST_NAMES:
                return
            self._written[name] = now
            self._waiting.pop(name, None)
        self._write(line_of(name, value, step))

    def finish(self) -> None:
        """Write what waits: each name's last value."""
        with self._turn:
            waiting, self._waiting = self._waiting, {}
        for name, (value, step) in waiting.items():
            try:
                self._write(line_of(name, value, step))
            except Exception:  # noqa: S112 - a framework that is shutting down may not give a tensor's value
                continue


def line_of(name: str, value: Any, step: int | None) -> str:
    """``ddl: metric loss 0.25 step 100``. Raises ``TypeError`` or ``ValueError`` if the value is no number."""
    word = "_".join(str(name).split())[:_LONGEST] or "_"
    return f"{MARK} {word} {float(value)!r}" + ("" if step is None else f" step {int(step)}")


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


_log = MetricLog(_print)
atexit.register(_log.finish)


def log_metric(name: str, value: Any, step: int | None = None) -> None:
    """Report a number of this rank's, to be seen with ``toolkit metrics`` and ``toolkit watch``.

    Args:
        name: such as ``loss``; blanks become ``_``.
        value: a number, or a tensor or array without dimensions. It is only read when it is written: of a name's values
            that come within a second, the first, and when the program ends, the last.
        step: the program's own, if it has one.

    Raises:
        TypeError, ValueError: the value is no number.
    """
    _log.add(name, value, step)

"""The process that launches a run, identified so that no other is ever taken for it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

_STATE, _START_TIME = 0, 19
"""Of the fields after the process's name in /proc/PID/stat: the third and the twenty-second, see proc(5)."""


def this_process() -> tuple[int, int]:
    """Process id and start time, in clock ticks since boot."""
    pid = os.getpid()
    return pid, _started(pid) or 0


def lives(launcher: tuple[int, int] | None) -> bool:
    """Whether that process still exists."""
    return launcher is not None and _started(launcher[0]) == launcher[1]


def interrupt(launcher: tuple[int, int]) -> None:
    """Send SIGINT, as Ctrl-C does."""
    if lives(launcher):
        os.kill(launcher[0], signal.SIGINT)


def _started(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[_STATE] == "Z" else int(fields[_START_TIME])

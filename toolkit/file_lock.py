"""A lock between processes of this machine, held by an open file. A killed process releases it."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from typing import IO


def lock(file: int | IO[bytes], on_wait: Callable[[], None]) -> None:
    """Take the lock of `file` until it is closed; `on_wait` is called once if another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        on_wait()
        fcntl.flock(file, fcntl.LOCK_EX)

"""What a rank started and left behind does not keep mpirun waiting.

mpirun waits until the output of its ranks is closed, and not only by them: a process that a rank started has inherited
it. Where the rank's own process has ended, a worker that imported ddl, or was forked from a program that had, lets go
of that output and goes on without. What it wrote into files or pipes of its own is not touched.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from pathlib import Path

from ddl.owner import Process

_LOOK_SECONDS = 1.0
Stream = tuple[int, int, int]


def follow(owner: Process) -> None:
    """Watch the rank's process from a thread of this one, and let go of its output when it has ended."""
    outputs = (_stream(Path(f"/proc/{owner.pid}/fd/{number}")) for number in (1, 2))
    streams = {stream for stream in outputs if stream is not None}
    if streams:
        threading.Thread(target=_wait, args=(owner, streams), name="ddl-detach", daemon=True).start()


def _wait(owner: Process, streams: set[Stream]) -> None:
    while owner.lives:
        time.sleep(_LOOK_SECONDS)
    nothing = os.open(os.devnull, os.O_WRONLY)
    for file in list(Path("/proc/self/fd").iterdir()):
        if _stream(file) in streams:
            with contextlib.suppress(OSError):  # closed meanwhile
                os.dup2(nothing, int(file.name), inheritable=file.name in ("1", "2"))


def _stream(file: Path) -> Stream | None:
    """What stands for a pipe, a socket or a terminal; None for a file, which nobody waits for."""
    try:
        found = file.stat()
    except OSError:
        return None
    if stat.S_ISREG(found.st_mode) or found.st_rdev == Path(os.devnull).stat().st_rdev:
        return None
    return found.st_dev, found.st_ino, found.st_rdev

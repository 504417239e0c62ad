"""Worker processes that outlive their rank must not keep mpirun waiting.

mpirun waits until the output of its ranks is closed by every process that holds it, including the children that
inherited it. Once the rank's own process has ended, a worker that imported ddl, or was forked from a program that did,
closes that output and continues without it. Files and pipes of its own are not affected.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from pathlib import Path

from ddl.owner import Process

_POLL_SECONDS = 1.0
Stream = tuple[int, int, int]


def release_output_after_exit(owner: Process) -> None:
    """Watch the rank's process from a thread, and release its output once it has ended."""
    outputs = (_stream(Path(f"/proc/{owner.pid}/fd/{number}")) for number in (1, 2))
    streams = {stream for stream in outputs if stream is not None}
    if streams:
        threading.Thread(target=_release_after_exit, args=(owner, streams), name="ddl-detach", daemon=True).start()


def _release_after_exit(owner: Process, streams: set[Stream]) -> None:
    while owner.lives:
        time.sleep(_POLL_SECONDS)
    null = os.open(os.devnull, os.O_WRONLY)
    for file in list(Path("/proc/self/fd").iterdir()):
        if _stream(file) in streams:
            with contextlib.suppress(OSError):  # closed meanwhile
                os.dup2(null, int(file.name), inheritable=file.name in ("1", "2"))


def _stream(file: Path) -> Stream | None:
    """Identifies a pipe, a socket or a terminal; None for a file, which nobody waits for."""
    try:
        found = file.stat()
    except OSError:
        return None
    if stat.S_ISREG(found.st_mode) or found.st_rdev == Path(os.devnull).stat().st_rdev:
        return None
    return found.st_dev, found.st_ino, found.st_rdev

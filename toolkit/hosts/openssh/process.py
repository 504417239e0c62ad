"""Running the system's `ssh` for a few seconds: bounded in time and in what is kept of its output."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import IO

from toolkit.child_environment import child_environment
from toolkit.hosts.ssh.drain import Drain

_GRACE_SECONDS = 5
_KEPT_ERRORS = 1 << 14


def start(
    argv: Sequence[str], *, stdin: int = subprocess.DEVNULL, errors: int | IO[bytes] = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    """Start `argv` in its own session; its output is discarded."""
    return subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        env=child_environment("ssh"),
        start_new_session=True,
    )


def finish(process: subprocess.Popen[bytes], seconds: float) -> str | None:
    """The end of the standard error, 16 KiB, of a process from `start`; None if it was killed on timeout."""
    errors = Drain(partial(os.read, process.stderr.fileno()), keep=_KEPT_ERRORS) if process.stderr else None
    if errors:
        errors.start()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        return None
    except BaseException:
        kill(process)
        raise
    if errors is None:
        return ""
    errors.join(_GRACE_SECONDS)
    return errors.text()


def quiet(argv: Sequence[str], seconds: float) -> bool:
    """Whether `argv` exits with 0 within `seconds`. On Ctrl-C, a short command may still complete."""
    process = start(argv, errors=subprocess.DEVNULL)
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        return False
    except KeyboardInterrupt:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
        raise
    finally:
        if process.poll() is None:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End it and its children, a ProxyCommand among them."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)

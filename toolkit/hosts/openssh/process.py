"""Waiting for an `ssh` that is to end soon, and ending it with what it started where it does not."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress

_GRACE_SECONDS = 5


def finish(process: subprocess.Popen[bytes], seconds: float) -> str | None:
    """The standard error of a process in its own session; None if it was killed on timeout."""
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        return None
    except BaseException:
        kill(process)
        raise
    return (errors or b"").decode("utf-8", "replace")


def kill(process: subprocess.Popen[bytes]) -> None:
    """End it and its children, a ProxyCommand among them."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)

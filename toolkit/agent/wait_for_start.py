"""Before the run: an agent with its operator's heartbeat. It gets its start signal, or everything of the run is
removed."""

from __future__ import annotations

import time
from pathlib import Path

from toolkit.agent.job_spec import Job, read_job
from toolkit.agent.paths import JOB, OPERATOR_HEARTBEAT

HEARTBEAT_SECONDS = 30
"""Seconds after which a silent operator counts as gone. The launch touches the heartbeat every 5 s."""
_POLL_SECONDS = 0.1


def wait_for_word(
    heartbeat: Path = Path(OPERATOR_HEARTBEAT), job: Path = Path(JOB), patience: float = HEARTBEAT_SECONDS
) -> Job | None:
    """The job, once the operator sends it; None if they are gone.

    Only changes of the heartbeat's time count, not its value: a clock may be adjusted while waiting.
    """
    seen, since = 0, time.monotonic()
    while not job.exists():
        touched = heartbeat.stat().st_mtime_ns if heartbeat.exists() else 0
        if touched != seen:
            seen, since = touched, time.monotonic()
        if time.monotonic() - since > patience:
            return None
        time.sleep(_POLL_SECONDS)
    return read_job(job.read_text("utf-8"))

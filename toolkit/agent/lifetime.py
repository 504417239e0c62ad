"""An agent's main function, from its start to its exit."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from toolkit.agent.cleanup import Things, cleanup, give_back_lease
from toolkit.agent.container_names import buckets_container, own_container, results_container
from toolkit.agent.docker_api import DockerApi, EngineRefused
from toolkit.agent.flush import NotStored
from toolkit.agent.heartbeat import heartbeat
from toolkit.agent.job_spec import Job, read_job
from toolkit.agent.lifecycle import RunLifecycle
from toolkit.agent.paths import BEAT, JOB, OPERATOR_HEARTBEAT
from toolkit.agent.requests import make_own_folders
from toolkit.agent.service import BucketClient

HEARTBEAT_SECONDS = 30
"""Seconds after which a silent operator counts as gone. The launch touches the heartbeat every 5 s."""
_POLL_SECONDS = 0.02


def keep(run: str, volume: str, *, holds: bool) -> None:
    """Own the run on this host from before its first file to after its last.

    `holds`: its volume already has results that are in no bucket, and is kept if no start signal comes. The operator
    says so; the volume's contents do not tell, because a launch may have put files there before this container came up.

    The volume's folder is bound into this container before the volume exists, so that nothing of a run is ever without
    an owner that cleans up.
    """
    engine = DockerApi()
    engine.create_volume(volume, run)
    make_own_folders()
    things = Things(run, own_container(run), buckets_container(run), volume, results_container(run))
    with heartbeat(Path(BEAT)):
        Path(OPERATOR_HEARTBEAT).touch()
        job = wait_for_word()
        with suppress(EngineRefused):
            things = replace(things, settings=engine.settings(things.buckets))
        if job is None and not holds:
            with suppress(NotStored):
                BucketClient().discard_code()
        kept = RunLifecycle(job, engine).run() if job else holds
        cleanup(engine, things, keep_volume=kept)
    give_back_lease(engine, run)


def wait_for_word(
    heartbeat: Path = Path(OPERATOR_HEARTBEAT), job: Path = Path(JOB), patience: float = HEARTBEAT_SECONDS
) -> Job | None:
    """The job, once the operator sends it; None if they are gone: then everything of the run is removed.

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

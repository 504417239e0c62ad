"""An agent's main function, from its start to its exit."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from toolkit.agent.cleanup import Things, cleanup
from toolkit.agent.docker_api import DockerApi, EngineRefused
from toolkit.agent.flush import NotStored
from toolkit.agent.heartbeat import heartbeat
from toolkit.agent.lease import give_back_lease
from toolkit.agent.lifecycle import RunLifecycle, buckets_container, own_container, results_container
from toolkit.agent.paths import BEAT, OPERATOR_HEARTBEAT
from toolkit.agent.requests import make_own_folders
from toolkit.agent.service import BucketClient
from toolkit.agent.wait_for_start import wait_for_word


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

"""Removes everything of a run from this host, the agent's own container last (it is removed when it exits)."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.agent.docker_api import DockerApi, EngineRefused
from toolkit.agent.flush import NotStored
from toolkit.agent.service import BucketClient

_ROUNDS = 120
_PAUSE_SECONDS = 0.5
_UNMOUNT_SECONDS = 60
LEASE_LABEL = "toolkit.lease"
_LEASE_PREFIX = "toolkit-lease."
_LEASE_RUN = 4
"""The key of a lease's record that names its run."""
UNMOUNT = ("python3", "-m", "toolkit.agent", "unmount")


@dataclass(frozen=True)
class Things:
    """What a run has on this host: the agent's container, the one with the mounts, the volume, and the server of a
    results folder, if any.

    `settings` (`DockerApi.settings`) are those of the container with the mounts: if it is killed, one like it unmounts.
    """

    run: str
    own: str
    buckets: str
    volume: str
    store: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


def cleanup(engine: DockerApi, things: Things, *, keep_volume: bool) -> None:
    """Remove the run's other containers, mounts and networks, and its volume unless it holds results that are in no
    bucket.

    Retries for more than a minute: the engine may still be working on requests of a killed operator, or be restarting.
    What could not be removed keeps the run's label, for `toolkit clean`.
    """
    for _ in range(_ROUNDS):
        try:
            if _round(engine, things, keep_volume=keep_volume):
                return
        except EngineRefused:
            pass
        time.sleep(_PAUSE_SECONDS)
    print(f"some of {things.run} could not be removed: toolkit clean", file=sys.stderr)


def _round(engine: DockerApi, things: Things, *, keep_volume: bool) -> bool:
    there = engine.containers(things.run)
    last = (things.buckets, things.store)  # a mount is served until it is unmounted
    gone = [engine.remove_container(name) for name in there if name not in (things.own, *last)]
    _unmount(engine, things)
    gone += [engine.remove_container(name) for name in last if name]
    gone += [engine.remove_network(name) for name in engine.networks(things.run)]
    for volume in {things.volume, *engine.volumes(things.run)}:
        if not (keep_volume and volume == things.volume):
            gone.append(engine.remove_volume(volume))
    return all(gone)


def _unmount(engine: DockerApi, things: Things) -> None:
    """Unmount: a mount outlives its process, and keeps the volume from being removed."""
    try:
        BucketClient().unmount()
    except NotStored:
        settings = engine.settings(things.buckets) or things.settings
        engine.remove_container(things.buckets)
        if settings:
            engine.run_like(settings, f"{things.buckets}-cleanup", UNMOUNT, _UNMOUNT_SECONDS)


def give_back_lease(engine: DockerApi, run: str) -> None:
    """Remove the volumes with a lease of `run` here, from the time before its containers ran; if the engine does not
    answer, they expire.

    A running container of the run holds its lease by a label, so nothing has to be done for that. The volumes are
    removed by the launch, unless it was killed (`toolkit.leases.host_script`).
    """
    try:
        for name, record in engine.labelled_volumes(LEASE_LABEL).items():
            if name.startswith(_LEASE_PREFIX) and record.split()[_LEASE_RUN : _LEASE_RUN + 1] == [run]:
                engine.remove_volume(name)
    except EngineRefused:
        return

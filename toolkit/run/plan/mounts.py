"""What is mounted of a run's results, for its learners and for a rescue. Pure."""

from __future__ import annotations

from dataclasses import replace

from toolkit.agent.paths import CHECKPOINTS
from toolkit.run.plan.training_id import TrainingId
from toolkit.storage.sidecar import Mount

VOLUME_PREFIX = "toolkit-"
"""The name of a run's volume is this and the run's ID."""


def written_locally(place: str) -> str:
    """How results get to `place` that programs write to the host's disk, for display."""
    return f"written on the host's disk, uploaded to {place} meanwhile"


def volume_of(training_id: TrainingId) -> str:
    """The name of a run's volume on each host."""
    return f"{VOLUME_PREFIX}{training_id}"


def results_mount(bucket: str, prefix: str = "") -> Mount:
    """The results: written through a cache, and complete in the bucket when the cache is empty."""
    return Mount("results", bucket, f"mnt/results/{bucket}", read_only=False, prefix=prefix)


def learner_mounts(results: Mount, run: str, resume: str = "", *, write_local: bool = False) -> tuple[Mount, ...]:
    """What is mounted of the results for a learner: the run's own directory, unless it is on the host's disk; that for
    checkpoints; and what it resumes from.

    Other runs' directories and the objects by which agents report are not included. What is resumed from is read-only,
    unless it is a directory of checkpoints, which runs share.
    """
    mounts = [_below(results, name) for name in (*(() if write_local else (run,)), CHECKPOINTS)]
    if resume and resume.split("/", maxsplit=1)[0] != CHECKPOINTS:
        mounts.append(replace(_below(results, resume), read_only=True))
    return tuple(mounts)


def _below(mount: Mount, directory: str) -> Mount:
    prefix = f"{mount.prefix}/{directory}" if mount.prefix else directory
    return replace(mount, folder=f"{mount.folder}/{directory}", prefix=prefix)

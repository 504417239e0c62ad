"""What is mounted of the results bucket: never all of it, only what belongs to a run."""

from __future__ import annotations

from dataclasses import replace

from toolkit.agent.paths import CHECKPOINTS
from toolkit.storage.sidecar import Mount


def results_mount(bucket: str, prefix: str = "") -> Mount:
    """The results: written through a cache, and complete in the bucket when the cache is empty."""
    return Mount("results", bucket, f"mnt/results/{bucket}", read_only=False, prefix=prefix)


def learner_mounts(results: Mount, run: str, resume: str = "") -> tuple[Mount, ...]:
    """What a learner sees of the results: the run's own directory, that for checkpoints, and what it resumes from.

    Other runs' directories and the objects by which agents report are not included. What is resumed from is read-only,
    unless it is a directory of checkpoints, which runs share.
    """
    mounts = [_below(results, run), _below(results, CHECKPOINTS)]
    if resume and resume.split("/", maxsplit=1)[0] != CHECKPOINTS:
        mounts.append(replace(_below(results, resume), read_only=True))
    return tuple(mounts)


def _below(mount: Mount, directory: str) -> Mount:
    prefix = f"{mount.prefix}/{directory}" if mount.prefix else directory
    return replace(mount, folder=f"{mount.folder}/{directory}", prefix=prefix)

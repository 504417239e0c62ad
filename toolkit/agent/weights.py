"""The digests of a training's weights, kept by ddl: stored with the run."""

from __future__ import annotations

from pathlib import Path

from toolkit.agent.end_reasons import Reason
from toolkit.agent.flush import NotStored
from toolkit.agent.job_spec import Job
from toolkit.agent.paths import RUN_FOLDER
from toolkit.agent.service import BucketClient
from toolkit.agent.untrusted import Replacements, read_regular

MOST_BYTES = 64 << 20
"""Maximum per command; ddl keeps less."""


def put_weights(bucket: BucketClient, job: Job, folder: Path, found: Replacements) -> None:
    """Store what each command's program has left, as `_run/weights.<command>.jsonl`. Raises `NotStored`.

    Anything else in their place is added to `found`: the folder is also the program's.
    """
    for step in job.steps:
        data = None
        with found.noting():  # none if it trained nothing with ddl on more than one rank
            data = read_regular(folder.parent, f"{folder.name}/{step.number}.jsonl", MOST_BYTES)
        if data is None:
            continue
        name = f"{RUN_FOLDER}/weights.{step.number}.jsonl"
        if not bucket.put(f"{job.run}/{name}", data, short=False):
            raise NotStored(Reason.BUCKET_WRITE, f"{name} could not be stored")

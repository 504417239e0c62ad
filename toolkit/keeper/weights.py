"""The digests of a training's weights, which ddl kept: stored with the run."""

from __future__ import annotations

import sys
from pathlib import Path

from toolkit.keeper.bucket import Bucket, NotStored
from toolkit.keeper.ends import Reason
from toolkit.keeper.job import Job
from toolkit.keeper.places import RUN_FOLDER
from toolkit.keeper.untrusted import read_regular

MOST_BYTES = 64 << 20
"""Of one command; ddl keeps less."""


def put_weights(bucket: Bucket, job: Job, folder: Path) -> None:
    """Store what each command's program has left, as `_run/weights.<command>.jsonl`. Raises `NotStored`.

    What is no such file is left where it is: the folder is the program's, too.
    """
    for step in job.steps:
        try:
            data = read_regular(folder, f"{step.number}.jsonl", MOST_BYTES)
        except FileNotFoundError:
            continue  # it trained nothing with ddl, on more than one rank
        except OSError as error:
            print(f"the weights' digests of command {step.number} are not stored: {error}", file=sys.stderr)
            continue
        name = f"{RUN_FOLDER}/weights.{step.number}.jsonl"
        if not bucket.put(f"{job.run}/{name}", data, short=False):
            raise NotStored(Reason.BUCKET_WRITE, f"{name} could not be stored")

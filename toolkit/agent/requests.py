"""Requests of an operator to a run's agent, by commands executed beside it that leave it files.

A launch waits for these commands: so this module imports little; further imports are local.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn, TextIO

from toolkit.agent.paths import AGENT, CONTROL, HOST, JOB, OPERATOR_HEARTBEAT, SAMPLES, STATE, STOP


def make_own_folders() -> None:
    """Create the agent's own folders in the volume. Whoever is first does: a learner's container needs one of them."""
    Path(AGENT).mkdir(mode=0o755, exist_ok=True)
    Path(CONTROL).mkdir(mode=0o700, exist_ok=True)


def unpack() -> NoReturn:
    """Become the program that unpacks a tar file from standard input into the volume."""
    make_own_folders()
    os.execvp("tar", ("tar", "--extract", "--directory", HOST))  # noqa: S606


def heartbeat_of_operator() -> str:
    """The operator is alive; returns this host's time (seconds since 1970), and who wants the run to stop, if anyone
    does."""
    Path(OPERATOR_HEARTBEAT).touch()
    return f"{time.time():.6f} {stopped_by(Path(STOP))}".rstrip()


def go(text: str) -> None:
    """Accept the job; from now on the operator is not needed."""
    from toolkit.agent.job_spec import read_job

    job = read_job(text)
    # In a rescue, the volume has the record of the agent before: a follower would take its end for this one's.
    Path(STATE).unlink(missing_ok=True)
    new = Path(f"{JOB}.new")
    new.write_text(job.to_json())
    new.rename(JOB)


def print_samples(folder: str = CONTROL, out: TextIO = sys.stdout) -> None:
    """Print the host's samples, also those that an agent before a rescue took."""
    for file in sorted(Path(folder).glob(SAMPLES.format("*"))):
        with file.open(encoding="utf-8") as stream:
            out.writelines(stream)


def ask_to_stop(who: str, file: Path) -> str:
    """Record who wants the run to stop, unless someone already has; returns the first one's name."""
    new = file.with_name(f".stop.{os.getpid()}")
    new.write_text(json.dumps({"by": who}))
    try:
        os.link(new, file)  # fails if it exists: the first one is who stopped the run
    except FileExistsError:
        pass
    finally:
        new.unlink()
    return str(read_json(file).get("by", who))


def stopped_by(file: Path) -> str:
    """Who asked for a stop; empty if no one did."""
    return str(read_json(file).get("by", ""))


def read_json(file: Path) -> dict[str, Any]:
    """An object in a file of the agent's own; empty if there is none."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

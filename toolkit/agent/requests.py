"""What an operator asks of a run's agent, by commands that run beside it and leave it files.

Python compiles all that it imports anew in these containers, and a launch waits for these commands: so this module
imports little, and what needs more imports it itself.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NoReturn

from toolkit.agent.paths import AGENT, CONTROL, HOST, JOB, OPERATOR_HEARTBEAT, STOP


def make_own_folders() -> None:
    """Make the agent's own folders in the volume. Who is first does: a learner's container needs one of them."""
    Path(AGENT).mkdir(mode=0o755, exist_ok=True)
    Path(CONTROL).mkdir(mode=0o700, exist_ok=True)


def unpack() -> NoReturn:
    """Become the program that unpacks a tar file from standard input into the volume."""
    make_own_folders()
    os.execvp("tar", ("tar", "--extract", "--directory", HOST))  # noqa: S606


def heartbeat_of_operator() -> str:
    """Say that the operator lives; who wants the run to stop, if anyone does."""
    Path(OPERATOR_HEARTBEAT).touch()
    return stopped_by(Path(STOP))


def go(text: str) -> None:
    """Take the job; from now on the operator is not needed."""
    from toolkit.agent.job_spec import read_job

    job = read_job(text)
    new = Path(f"{JOB}.new")
    new.write_text(job.to_json())
    new.rename(JOB)


def ask_to_stop(who: str, file: Path) -> str:
    """Write down who wants the run to stop, unless someone has before; the first one's name."""
    new = file.with_name(f".stop.{os.getpid()}")
    new.write_text(json.dumps({"by": who}))
    try:
        os.link(new, file)  # fails where it is there: the first one is who stopped the run
    except FileExistsError:
        pass
    finally:
        new.unlink()
    return str(read_json(file).get("by", who))


def stopped_by(file: Path) -> str:
    """Who asked for a stop; empty where no one did."""
    return str(read_json(file).get("by", ""))


def read_json(file: Path) -> dict[str, Any]:
    """An object in a file of the agent's own; an empty one where there is none."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

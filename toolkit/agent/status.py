"""Learner 1's supervisor's report of each command: `status.json`, in a folder that the program can write to.

Only well-formed parts are used. What a command is comes from the agent's own job.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.agent.job_spec import Job, StepSpec
from toolkit.agent.untrusted import read_object

MAX_BYTES = 16 << 20
_MOST, _LONGEST, _LARGEST = 4096, 1 << 15, 1 << 53
_LONGEST_SENTENCE = 2000


def read_status(folder: Path, job: Job) -> dict[str, Any]:
    """The status in `folder`; empty if there is none yet. Raises `NotRegular` if something has replaced it."""
    return checked(read_object(folder, "status.json", MAX_BYTES), job)


def checked(found: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """The well-formed parts of a status; commands only as far as they are those of `job`, in order."""
    if not found:
        return {}
    steps: list[dict[str, Any]] = []
    said = found.get("steps")
    for step, about in zip(job.steps, said if isinstance(said, list) else (), strict=False):
        if not isinstance(about, dict) or about.get("number") != step.number:
            break
        steps.append(_step(step, about))
    return {
        "steps": steps,
        "silent_learners": _texts(found.get("silent_learners")),
        "lost_learners": _texts(found.get("lost_learners")),
        "start_deadline": _number(found.get("start_deadline")),
        "lost_seconds": _number(found.get("lost_seconds")),
        "processes_met": _count(found.get("processes_met")) or 0,
    }


def why_diverged(step: Mapping[str, Any]) -> str:
    """Why the ranks of a step do not train one model, in one line, as one of them reported; empty if none did."""
    said = step.get("unsynchronised")
    if not said:
        return ""
    why = said.get("why") if isinstance(said, dict) else None
    shown = "".join(sign if sign.isprintable() else " " for sign in _text(why)[:_LONGEST_SENTENCE]).strip()
    return shown or "its ranks were not synchronised"


def _step(step: StepSpec, about: Mapping[str, Any]) -> dict[str, Any]:
    started = _number(about.get("started")) or 0.0
    entry: dict[str, Any] = {
        "number": step.number,
        "command": step.command,
        "started": started,
        "folder": _text(about.get("folder")),
        "argv": _texts(about.get("argv")),
    }
    if "ended" not in about:
        return entry
    return entry | {
        "exit_status": _count(about.get("exit_status"), 255),
        "ended": _number(about.get("ended")) or started,
        "why": _text(about.get("why"))[:80],
        "limit": _number(about.get("limit")),
        "attempts": _count(about.get("attempts")) or 1,
        "missing_ranks": _counts(about.get("missing_ranks")),
        "unsynchronised": about.get("unsynchronised"),  # `why_diverged` checks it
    }


def _count(value: object, largest: int = _LARGEST) -> int | None:
    return value if type(value) is int and 0 <= value <= largest else None


def _counts(value: object) -> list[int]:
    found = [_count(one) for one in value[:_MOST]] if isinstance(value, list) else []
    return [one for one in found if one is not None]


def _number(value: object) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value <= _LARGEST else None


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [one[:_LONGEST] for one in value[:_MOST] if isinstance(one, str)] if isinstance(value, list) else []

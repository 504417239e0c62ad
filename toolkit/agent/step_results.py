"""A command's result, for the record. Pure."""

from __future__ import annotations

from typing import Any

from toolkit.agent.facts import Facts
from toolkit.agent.job_spec import Job
from toolkit.agent.outcome import rank_statuses, rank_times


def step_result(job: Job, facts: Facts, step: dict[str, Any]) -> dict[str, Any]:
    """A step for the record."""
    ranks = rank_statuses(job, facts, step)
    return {
        "number": step["number"],
        "command": step["command"],
        "parallel": bool(ranks),
        "each": job.noun(step["number"]),
        "exit_status": step.get("exit_status"),
        "seconds": round(step.get("ended", step["started"]) - step["started"], 3),
        "ranks": ranks,
        "times": rank_times(job, facts, step) if ranks else [],
        "started": step["started"],
        "ended": step.get("ended"),
        "attempts": step.get("attempts", 1),
        "folder": step.get("folder", ""),
        "argv": step.get("argv", []),
    }

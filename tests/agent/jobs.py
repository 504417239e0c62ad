"""Runs for the agent's tests: two learners on two hosts, or both on the operator's own machine."""

from __future__ import annotations

from typing import Any

from toolkit.agent.facts import Facts, HostReport, LearnerEnd
from toolkit.agent.job_spec import Job, LearnerSpec, StepSpec

RUN = "training-abcd2345"
KEY = "0123456789abcdef" * 4


def job(hosts: tuple[str, ...] = ("p100-01", "p100-02"), **more: Any) -> Job:
    """Two learners with two ranks each, the first command on every rank, the second once."""
    values: dict[str, Any] = {
        "run": RUN,
        "host": 0,
        "hosts": hosts,
        "learners": tuple(
            LearnerSpec(
                number, f"learner-{number}", f"toolkit-{RUN}-learner-{number}", ranks, min(number, len(hosts)) - 1
            )
            for number, ranks in ((1, (0, 1)), (2, (2, 3)))
        ),
        "steps": (StepSpec(1, "python train.py", "all"), StepSpec(2, "python transform.py", "one")),
        "volume": f"toolkit-{RUN}",
        "filesystem": "results:models",
        "folder": "mnt/results/models",
        **{"stop": 10, "store": 60, "lost": 15},
        "key": KEY,
    }
    return Job(**(values | more))


def step(number: int, status: int | None = 0, **more: Any) -> dict[str, Any]:
    """What the supervisor writes of a step."""
    command = ("python train.py", "python transform.py")[number - 1]
    return {"number": number, "command": command, "started": 10.0, "ended": 12.5, "exit_status": status, **more}


ALL_RANKS = {f"1.{rank}": 0 for rank in range(4)}


def facts(*steps: dict[str, Any], ranks: dict[str, int] | None = None, **more: Any) -> Facts:
    """Facts of a run in which all is well, but for what is given."""
    ranks = ALL_RANKS if ranks is None else ranks
    first = HostReport(0, (LearnerEnd(1, 0),), {key: value for key, value in ranks.items() if key[2] in "01"})
    second = HostReport(1, (LearnerEnd(2, 0),), {key: value for key, value in ranks.items() if key[2] in "23"})
    values: dict[str, Any] = {
        "status": {"steps": list(steps or (step(1), step(2)))},
        "reports": (first, second),
        "last_lines": "the last line",
    }
    return Facts(**(values | more))

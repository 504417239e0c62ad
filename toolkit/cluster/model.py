"""A cluster: where a run's learners live."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deadlines:
    """Seconds: `start` until every learner answers, `stop` until a kill, `store` without progress in storing."""

    start: int
    stop: int
    store: int


@dataclass(frozen=True)
class Cluster:
    """This machine's engine, for now; `gpu` is the kind that it has, or `none`."""

    name: str
    engine: str
    gpu: str
    deadlines: Deadlines

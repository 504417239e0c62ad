"""From a plan to what each host's agent must know about the run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from toolkit.agent.job_spec import Job, LearnerSpec, StepSpec
from toolkit.cluster.model import Cluster
from toolkit.manifest.results import place_at
from toolkit.run.plan.mounts import volume_of
from toolkit.run.plan.run_plan import RunPlan
from toolkit.run.records.record import Record
from toolkit.storage.sidecar import Mount


def jobs_of(plan: RunPlan, record: Record, key: str, document: Mapping[str, Any] | None = None) -> tuple[Job, ...]:
    """One job for each of the plan's hosts, learner 1's first, which alone gets the public record so far, `document`;
    `key` is the run's."""
    learners = tuple(
        LearnerSpec(one.number, one.hostname, plan.container(one), one.ranks, plan.hosts.index(one.placement.host))
        for one in plan.learners
    )
    steps = tuple(StepSpec(step.number, step.command, step.ranks) for step in plan.steps)
    first = replace(job_on(plan.hosts, record, plan.cluster, plan.results_mount, key), learners=learners, steps=steps)
    others = (replace(first, host=number) for number in range(1, len(plan.hosts)))
    return (replace(first, document=dict(document or {})), *others)


def job_on(hosts: tuple[str, ...], record: Record, cluster: Cluster, results: Mount, key: str) -> Job:
    """A job for the first of `hosts`, without learners and commands: as for a rescue, when they have ended."""
    times = cluster.deadlines
    return Job(
        run=record.training_id,
        host=0,
        hosts=hosts,
        learners=(),
        steps=(),
        volume=volume_of(record.training_id),
        filesystem=results.filesystem,
        folder=results.folder,
        place=place_at(record.endpoint_url, results.place),
        stop=times.stop,
        store=times.store,
        lost=times.lost,
        record=asdict(record),
        key=key,
    )

"""From a plan to what each host's agent must know about the run. Pure."""

from __future__ import annotations

from dataclasses import asdict

from toolkit.agent.job_spec import Job, LearnerSpec, StepSpec
from toolkit.manifest.results import place_at
from toolkit.run.plan.run_plan import RunPlan
from toolkit.run.records.record import Record


def jobs_of(plan: RunPlan, record: Record, key: str) -> tuple[Job, ...]:
    """One job for each of the plan's hosts, learner 1's first; `key` is the run's."""
    return tuple(_job(plan, record, key, number) for number in range(len(plan.hosts)))


def _job(plan: RunPlan, record: Record, key: str, number: int) -> Job:
    times, mount = plan.cluster.deadlines, plan.results_mount
    return Job(
        run=plan.training_id,
        host=number,
        hosts=plan.hosts,
        learners=tuple(
            LearnerSpec(one.number, one.hostname, plan.container(one), one.ranks, plan.hosts.index(one.placement.host))
            for one in plan.learners
        ),
        steps=tuple(StepSpec(step.number, step.command, step.ranks) for step in plan.steps),
        volume=plan.volume,
        filesystem=mount.filesystem,
        folder=mount.folder,
        place=place_at(record.endpoint_url, mount.place),
        stop=times.stop,
        store=times.store,
        lost=times.lost,
        record=asdict(record),
        key=key,
    )

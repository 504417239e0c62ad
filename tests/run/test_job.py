"""From a plan to what each host's agent knows."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from toolkit.agent.container_names import buckets_container
from toolkit.agent.job_spec import LearnerSpec, StepSpec, read_job
from toolkit.cluster.reader import read_cluster
from toolkit.manifest.model import Compute
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.run.plan.job_specs import jobs_of
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.run_plan import Placement, RunImage, RunPlan

from .clients import RECORD

RUN, KEY = RECORD.training_id, "0123456789abcdef" * 4


def plan(hosts: tuple[str, ...] = ()) -> RunPlan:
    manifest = replace(read_manifest(assets() / "examples" / "mnist" / "manifest.yml"), compute=Compute("p100x2", 2))
    cluster = read_cluster(assets() / "clusters" / ("lab-p100.yml" if hosts else "local.yml"))
    placements = tuple(Placement(host, f"10.0.0.{number}") for number, host in enumerate(hosts))
    return make_plan(manifest, cluster, RunImage("i", "sha256:i", ()), "buckets", RUN, placements)


def test_every_host_knows_the_whole_run_and_which_part_is_its_own() -> None:
    on_hosts = plan(("one", "two"))
    first, second = jobs_of(on_hosts, RECORD, KEY)
    assert first.learners == (
        LearnerSpec(1, "learner-1", f"toolkit-{RUN}-learner-1", (0, 1), 0),
        LearnerSpec(2, "learner-2", f"toolkit-{RUN}-learner-2", (2, 3), 1),
    )
    assert first.steps == (StepSpec(1, "python train.py", "all"), StepSpec(2, "python transform.py", "one"))
    assert (first.hosts, first.filesystem, first.folder, first.volume) == (
        ("one", "two"),
        "results:mnist-training-models",
        "mnt/results/mnist-training-models",
        f"toolkit-{RUN}",
    )
    assert (first.host, second.host) == (0, 1)
    assert replace(second, host=0) == first


def test_on_this_machine_one_agent_has_every_learner() -> None:
    (job,) = jobs_of(plan(), RECORD, KEY)
    assert [learner.number for learner in job.here] == [1, 2]


def test_the_record_goes_with_it_and_all_of_it_is_plain_values() -> None:
    (job,) = jobs_of(plan(), RECORD, KEY)
    assert job.record == asdict(RECORD)
    assert read_job(job.to_json()).steps == job.steps


def test_the_public_record_so_far_goes_to_learner_1s_host_alone() -> None:
    first, second = jobs_of(plan(("one", "two")), RECORD, KEY, {"schema": "urn:toolkit:run-record:1"})
    assert read_job(first.to_json()).document == {"schema": "urn:toolkit:run-record:1"}
    assert second.document == {}


def test_agent_and_plan_mean_the_same_container() -> None:
    assert plan().side_container == buckets_container(RUN)


def test_every_agent_has_the_runs_key_and_shows_it_nowhere() -> None:
    for job in jobs_of(plan(), RECORD, KEY):
        assert read_job(job.to_json()).key == KEY
        assert KEY not in repr(job)
        assert KEY not in json.dumps(job.record)

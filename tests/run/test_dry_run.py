"""What a dry run shows: values, from the plan alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolkit.cluster.reader import read_cluster
from toolkit.manifest.model import Compute, FolderReference, Manifest, NfsReference, Step
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.run.plan.dry_run import fact_lines, host_commands, step_commands
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.run_plan import Placement, RankCpus, RunImage, RunPlan

EXAMPLE = read_manifest(assets() / "examples" / "mnist" / "manifest.yml")
IMAGE = RunImage("tensorflow:1", "sha256:abc", ())
ASKING = replace(
    EXAMPLE,
    steps=(Step("python cut.py", "one", "sub", 1800), Step("python train.py && date", "all")),
    compute=Compute("p100x2", 2, memory=24 << 30, cpus=8),
    training_data=NfsReference("", "filer", "/export/tiles"),
    environment=(("NCCL_DEBUG", "INFO"),),
    time_limit=86_400,
    retries=1,
    resume="training-old12345",
)


def plan_of(manifest: Manifest, hosts: tuple[str, ...] = ()) -> RunPlan:
    cluster = read_cluster(assets() / "clusters" / ("lab-p100.yml" if hosts else "local.yml"))
    cpus = (RankCpus(("0-3,8", "4")), RankCpus(why_not="2 ranks on 1 CPU"))
    placements = tuple(
        Placement(host, f"10.0.0.{number}", cpus=cpus[number % 2 - 1]) for number, host in enumerate(hosts, start=1)
    )
    return make_plan(manifest, cluster, IMAGE, "buckets:1", "training-abcd2345", placements)


def test_a_person_sees_all_that_the_manifest_asks_for() -> None:
    results = "/mnt/results/mnist-training-models"
    assert list(fact_lines(plan_of(ASKING, ("one", "two")))) == [
        ("learner", "learner-1 on one: rank 0 on CPUs 0-3,8, rank 1 on CPU 4"),
        ("learner", "learner-2 on two: ranks 2, 3"),
        ("binding", "cores: each rank is bound to its share of its host's cores; not bound on two: 2 ranks on 1 CPU"),
        ("data", "DATA_DIR=/mnt/data/tiles  NFS filer:/export/tiles, read-only"),
        ("results", f"RESULT_DIR={results}/training-abcd2345  bucket mnist-training-models, cached and flushed"),
        ("resume", f"RESUME_DIR={results}/training-old12345"),
        ("sets", "NCCL_DEBUG=INFO"),
        ("limits", "24GiB of memory, 8 CPUs for each learner"),
        ("limit", "1d for all commands"),
        ("retries", "a failed command is retried, at most 1 time"),
        ("command", "1, once, on learner 1 in sub/, 30m at most: python cut.py"),
        ("command", "2, on 4 ranks: python train.py && date"),
    ]


@pytest.mark.parametrize(
    ("results", "place", "mounted"),
    [
        (FolderReference("", "/srv/Oak"), "/srv/Oak", "type=bind,source=/srv/Oak,target=/buckets/oak"),
        (
            NfsReference("", "filer", "/export/oak"),
            "filer:/export/oak",
            "type=volume,source=toolkit-training-abcd2345-results-export,target=/buckets/oak",
        ),
    ],
)
def test_results_in_a_folder_are_served_on_each_host(
    results: FolderReference | NfsReference, place: str, mounted: str
) -> None:
    asking = replace(ASKING, training_data=EXAMPLE.training_data, training_results=results)
    plan = plan_of(asking, ("one", "two"))
    said = f"RESULT_DIR=/mnt/results/oak/training-abcd2345  {place}, cached and flushed"
    assert ("results", said) in list(fact_lines(plan))
    exports = [["o=addr=filer,rw", "device=:/export/oak"]] if isinstance(results, NfsReference) else []
    for lines in host_commands(plan).values():
        (owner,) = [argv for argv in lines if "stat" in argv]
        (server,) = [argv for argv in lines if "OWNER" in argv]
        assert lines.index(owner) < lines.index(server)
        assert mounted in owner
        assert mounted in server
        made = [argv for argv in lines if argv[:3] == ["docker", "volume", "create"]]
        assert [[word for word in argv if word.startswith(("o=", "device="))] for argv in made] == exports


def test_a_run_without_gpus_says_so() -> None:
    assert ("GPUs", "none: the manifest asks for cpux4") in list(
        fact_lines(plan_of(replace(EXAMPLE, compute=Compute("cpux4", 1))))
    )
    assert "GPUs" not in dict(fact_lines(plan_of(EXAMPLE)))


def test_every_host_has_its_own_command_lines() -> None:
    found = host_commands(plan_of(ASKING, ("one", "two")))
    assert list(found) == ["one", "two"]
    for number, host in enumerate(found, start=1):
        agent, buckets, export, learner = found[host]
        assert agent[:3] == buckets[:3] == ["docker", "run", "--detach"]
        assert agent[-6:] == [
            *("python3", "-m", "toolkit.agent", "keep", "training-abcd2345", "toolkit-training-abcd2345"),
        ]
        assert "toolkit.lease=LEASE" in agent
        assert "toolkit.lease=LEASE" in learner
        assert "toolkit.lease=LEASE" not in buckets
        assert buckets[-7:] == [
            *("python3", "-m", "toolkit.agent", "buckets", "training-abcd2345", "results:mnist-training-models"),
            "mnt/results/mnist-training-models",
        ]
        assert export[:3] == ["docker", "volume", "create"]
        assert export[-7:] == [
            *("--opt", "type=nfs", "--opt", "o=addr=filer,ro", "--opt", "device=:/export/tiles"),
            "toolkit-training-abcd2345-data",
        ]
        assert f"LEARNER_ID={number}" in learner


def test_on_this_machine_all_learners_share_a_private_network() -> None:
    found = host_commands(plan_of(EXAMPLE))
    assert list(found) == ["this machine"]
    assert [line[1] for line in found["this machine"]] == ["run", "run", "network", "run", "run"]


def test_a_copy_of_the_data_is_shown() -> None:
    copied = replace(EXAMPLE, training_data=replace(EXAMPLE.training_data, copied=True, prefix="a"))
    (line,) = [line for line in host_commands(plan_of(copied))["this machine"] if "copy" in line]
    assert line[-4:] == ["rclone", "copy", "data:mnist-training-data/a", "/run/host/mnt/data/mnist-training-data"]


def test_what_becomes_parallel_is_a_line_of_mpirun() -> None:
    (once, cut), (every, train) = step_commands(plan_of(ASKING))
    assert (once.parallel, cut) == (False, ["/bin/bash", "--norc", "-c", "python cut.py"])
    assert (every.parallel, train[0], train[-1]) == (True, "/usr/bin/mpirun", "python train.py && date")
    assert train[train.index("btl_tcp_if_include") + 1] == "SUBNET"


def test_results_on_the_hosts_disk_are_bound_and_not_mounted() -> None:
    plan = plan_of(replace(EXAMPLE, write_local=True))
    folder = "/mnt/results/mnist-training-models/training-abcd2345"
    how = "written on the host's disk, uploaded to bucket mnist-training-models meanwhile"
    assert ("results", f"RESULT_DIR={folder}  {how}") in list(fact_lines(plan))
    assert [mount.prefix for mount in plan.mounts] == ["", "_wml_checkpoints"]
    _, buckets, _, *learners = host_commands(plan)["this machine"]
    assert buckets[-1] == "local"
    for learner in learners:
        assert f"type=bind,source=VOLUME/results,target={folder}" in learner


def test_results_come_through_a_mount_unless_the_manifest_says_otherwise() -> None:
    for line in host_commands(plan_of(EXAMPLE))["this machine"]:
        assert not [word for word in line if "VOLUME/results" in word or word == "local"]

"""A second container runtime is a module and a line in `RUNTIMES`: all that follows takes it from there."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.agent.host_stages import PREPARED
from toolkit.cluster.model import Cluster
from toolkit.cluster.reader import read_cluster
from toolkit.containers.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.model import Compute
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.run.follow.agent_client import AgentClient, Presence
from toolkit.run.launch.deployment import Deployment
from toolkit.run.plan.dry_run import host_commands
from toolkit.run.plan.job_specs import jobs_of
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.run_plan import Placement, RunImage, RunPlan
from toolkit.run.plan.training_id import TrainingId
from toolkit.run.records.record import Record, State
from toolkit.runtimes.registry import RUNTIMES
from toolkit.secrets import Secret
from toolkit.storage.client import Access

from .tiny import Box, BoxHost

RUN = TrainingId("training-abcd2345")
RECORD = Record(
    *(RUN, "digits", State.DOWNLOADING, "tensorflow:1", "sha256:abc", "attic", 2, 2, True),
    *("embedded", "models", "data", "/m.yml", "/code"),
)
FILE = """
name: attic
engine: ssh
network: 10.0.0.0/16
container_engine: box
gpu: none
hosts: [{name: "box-[1-2]"}]
"""


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNTIMES, "box", Box())  # type: ignore[arg-type]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    (tmp_path / "attic.yml").write_text(FILE)
    return read_cluster(tmp_path / "attic.yml")


@pytest.fixture
def plan(cluster: Cluster) -> RunPlan:
    manifest = replace(read_manifest(assets() / "examples" / "mnist" / "manifest.yml"), compute=Compute("cpux1", 2))
    placements = [Placement("box-1", "10.0.0.1"), Placement("box-2", "10.0.0.2")]
    return make_plan(manifest, cluster, RunImage("tensorflow:1", "sha256:abc", ()), "buckets:1", RUN, placements)


def access() -> dict[str, Access]:
    return {name: Access("http://store:9000", Secret("id"), Secret("key")) for name in ("data", "results")}


def test_a_cluster_file_may_name_it_and_is_told_of_it_where_it_names_none(cluster: Cluster, tmp_path: Path) -> None:
    assert cluster.container_engine == "box"
    (tmp_path / "attic.yml").write_text(FILE.replace("box\n", "bix\n"))
    with pytest.raises(ToolkitError, match="container_engine: input should be 'docker', 'podman' or 'box'"):
        read_cluster(tmp_path / "attic.yml")


def test_a_launch_starts_its_containers_with_it_and_takes_them_away(plan: RunPlan) -> None:
    hosts = {name: BoxHost(name) for name in plan.hosts}
    engines = {name: Engine(host, "box") for name, host in hosts.items()}
    deployment = Deployment(plan, engines, assets() / "templates", {})
    deployment.start_agents()
    deployment.fill(access(), ())
    deployment.go(jobs_of(plan, RECORD, "0" * 64))
    assert [host.things for host in hosts.values()] == [
        {
            ("volume", f"toolkit-{RUN}"): (RUN, ""),
            ("container", f"toolkit-{RUN}-agent"): (RUN, "agent"),
            ("container", f"toolkit-{RUN}-buckets"): (RUN, "side"),
            ("container", f"toolkit-{RUN}-learner-{number}"): (RUN, "learner in sha256:abc"),
        }
        for number in (1, 2)
    ]
    assert [AgentClient(engine, RUN).presence() for engine in engines.values()] == [Presence.THERE] * 2
    assert deployment.cleanup() == []
    assert [host.things for host in hosts.values()] == [{}, {}]
    assert [AgentClient(engine, RUN).presence() for engine in engines.values()] == [Presence.GONE] * 2


def test_each_hosts_stages_are_timed_and_its_clock_is_compared(plan: RunPlan) -> None:
    hosts = [BoxHost("box-1", says=f"{time.time() + 3600:.6f}"), BoxHost("box-2", says="1.0 ada@desk")]
    engines = {host.name: Engine(host, "box") for host in hosts}
    deployment = Deployment(plan, engines, assets() / "templates", {})
    assert [one.operator_clock for one in deployment.stages()] == [(), ()]
    deployment.start_agents()
    assert deployment.heartbeat() == "ada@desk"
    deployment.fill(access(), ())
    found = deployment.stages()
    assert [one.host for one in found] == ["box-1", "box-2"]
    assert [{stage.name for stage in one.operator_clock} for one in found] == [set(PREPARED)] * 2
    assert [one.operator_clock[0].name for one in found] == ["agent", "agent"]
    assert found[0].ahead == pytest.approx(3600, abs=60)
    assert found[1].ahead < -1e9


@pytest.mark.parametrize("says", ["", "ada@desk", "nan"])
def test_a_heartbeat_without_a_time_compares_nothing(plan: RunPlan, says: str) -> None:
    engines = {name: Engine(BoxHost(name, says=says), "box") for name in plan.hosts}
    deployment = Deployment(plan, engines, assets() / "templates", {})
    deployment.start_agents()
    deployment.heartbeat()
    assert [one.offset for one in deployment.stages()] == [None, None]


def test_a_host_whose_engine_is_away_is_named_after_the_cleanup(plan: RunPlan) -> None:
    hosts = {name: BoxHost(name) for name in plan.hosts}
    deployment = Deployment(plan, {name: Engine(host, "box") for name, host in hosts.items()}, assets(), {})
    deployment.start_agents()
    hosts["box-2"].closed = True
    assert deployment.cleanup() == ["what the run has on box-2 (no container engine answers on box-2)"]
    assert (hosts["box-1"].things, len(hosts["box-2"].things)) == ({}, 2)


def test_a_folder_of_which_a_killed_agent_made_no_volume_is_removed_as_one(plan: RunPlan) -> None:
    hosts = {name: BoxHost(name) for name in plan.hosts}
    deployment = Deployment(plan, {name: Engine(host, "box") for name, host in hosts.items()}, assets(), {})
    deployment.start_agents()
    for host in hosts.values():
        host.things.clear()
        host.added.clear()
    assert deployment.cleanup() == []
    assert [host.added for host in hosts.values()] == [[["box", "add", "volume", f"toolkit-{RUN}", RUN, ""]]] * 2
    assert [host.things for host in hosts.values()] == [{}, {}]


def test_a_dry_run_shows_the_command_lines_that_a_launch_runs(plan: RunPlan) -> None:
    host = BoxHost("box-1")
    engines = {"box-1": Engine(host, "box"), "box-2": Engine(BoxHost("box-2"), "box")}
    deployment = Deployment(plan, engines, assets() / "templates", {})
    deployment.start_agents()
    deployment.fill(access(), ())
    started = [argv for argv in host.added if argv[2] == "container"]
    shown = [argv for argv in host_commands(plan)["box-1"] if argv[1] == "add"]
    assert sorted(started) == sorted(shown), "learners start beside the mounts, in any order"


def test_what_it_says_is_read_by_itself() -> None:
    host = BoxHost("box-1")
    engine = Engine(host, "box")
    assert engine.status("toolkit-x") == ""
    with pytest.raises(ToolkitError, match="`box exec toolkit-x` failed on box-1") as caught:
        engine.run(engine.runtime.execute("toolkit-x", ["true"]))
    assert (caught.value.code, caught.value.evidence) == (Code.RESOURCES, "no box toolkit-x")
    host.closed = True
    with pytest.raises(ToolkitError, match="no container engine answers on box-1"):
        engine.status("toolkit-x")
    assert AgentClient(engine, RUN).presence() is Presence.UNKNOWN


def test_docker_and_podman_differ_in_their_program_alone_where_they_take_the_same_words() -> None:
    docker, podman = RUNTIMES["docker"], RUNTIMES["podman"]
    assert podman.remove("volume", "v") == ["podman", *docker.remove("volume", "v")[1:]]
    assert (docker.makes_bound_folders, podman.makes_bound_folders) == (True, False)
    assert (docker.takes_partial_images, podman.takes_partial_images) == (True, False)

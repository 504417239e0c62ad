"""A second kind of cluster is its modules and a line in `KINDS`; a launch, and whoever comes back, find it there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict

from toolkit.agent.host_stages import HostStage
from toolkit.cluster.kinds import KINDS, ClusterKind, loaded
from toolkit.cluster.model import Cluster, Deadlines, Gpu, Host
from toolkit.cluster.reader import read_cluster
from toolkit.containers.engine import LOCAL, Engine
from toolkit.errors import Code, ToolkitError
from toolkit.leases.model import Holder, Lease, new_lease
from toolkit.manifest.model import Compute
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.progress import Progress, Report
from toolkit.run.finish.clean import clean
from toolkit.run.finish.force import force_stop
from toolkit.run.follow.agent_client import AgentClient, Presence
from toolkit.run.follow.connect import reached
from toolkit.run.follow.view import SilentView, View
from toolkit.run.launch import launch
from toolkit.run.launch.allocator import Allocation, AllocationRequest, allocator_of
from toolkit.run.launch.launch import Launch, Request
from toolkit.run.launch.ssh_allocation import SshAllocator
from toolkit.run.launch.this_machine import LocalAllocator
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.run_plan import ON_THIS_MACHINE, Placement, RankCpus, RunImage
from toolkit.run.plan.source_files import SubmittedCode
from toolkit.run.plan.training_id import TrainingId
from toolkit.run.records.record import State
from toolkit.run.records.record_store import Records
from toolkit.runtimes.registry import RUNTIMES
from toolkit.secrets import Secret
from toolkit.storage.client import Access
from toolkit.storage.open_storage import Opened
from toolkit.yaml.source import Source
from toolkit.yaml.validate import validate

from ..runtimes.tiny import Box, BoxHost

RUN = TrainingId("training-abcd2345")
IMAGE = RunImage("tensorflow:1", "sha256:abc", ())
MANIFEST = replace(read_manifest(assets() / "examples" / "mnist" / "manifest.yml"), compute=Compute("cpux1", 1))
TIMES = Deadlines(60, 10, 600)
LEASE = new_lease(RUN, "ada", "desk")
ATTIC = BoxHost("attic-7")
"""The one host that this kind of cluster has."""


class AtticFile(BaseModel):
    """`{name: mine, engine: attic, rack: 7}`."""

    model_config = ConfigDict(extra="forbid")

    name: str
    engine: Literal["attic"]
    rack: int


def read_attic(source: Source) -> Cluster:
    read = validate(source, AtticFile, Code.RESOURCES_ASKED)
    return Cluster(read.name, read.engine, "none", TIMES, network="10.0.0.0/16", scratch=str(read.rack))


class AtticAllocator:
    """Hands out one fixed placement."""

    def __init__(self, cluster: Cluster) -> None:
        self._placement = Placement(f"attic-{cluster.scratch}", "10.0.0.7", "eth7")
        self.held: list[Lease] = HELD

    def plan(self, compute: Compute) -> tuple[Placement, ...]:
        return (self._placement,) * compute.nodes

    @contextmanager
    def allocate(self, request: AllocationRequest, report: Report) -> Iterator[Allocation]:
        report(Progress("attic", f"for {request.training_id}"))
        self.held.append(LEASE)
        with self.connect() as engines:
            yield Allocation(
                self.plan(request.manifest.compute),
                engines,
                ssh_port=2407,
                master_port=2507,
                notes=("mind the stairs",),
                leases={self._placement.host: "the record"},
                stages={self._placement.host: (CLIMBED,)},
                confirm=lambda: EVENTS.append("confirmed"),
                hand_over=lambda: EVENTS.append("handed over"),
            )
        EVENTS.append("given back")

    @contextmanager
    def connect(self, hosts: Sequence[str] = ()) -> Iterator[Mapping[str, Engine]]:
        yield {name: Engine(ATTIC, "box") for name in hosts or [ATTIC.name]}

    def leases(self, engine: Engine) -> tuple[Holder, ...]:
        return tuple(
            Holder(lease, "2026-03-04T05:06:07Z", 60, "held") for lease in self.held if engine.host == ATTIC.name
        )

    def release(self, engine: Engine, lease: Lease) -> None:
        self.held.remove(lease)


CLIMBED = HostStage("lease", 1000.0, 1030.0)
HELD: list[Lease] = []
EVENTS: list[str] = []
EXAMINED: list[float] = []


class Watching(SilentView):
    """What a person would see."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[tuple[State, str]] = []

    def state(self, record: object, note: str) -> None:
        self.states.append((record.state, note))  # type: ignore[attr-defined]

    def note(self, text: str) -> None:
        raise AssertionError(text)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "attic", ClusterKind(f"{__name__}:read_attic", f"{__name__}:AtticAllocator"))
    monkeypatch.setitem(RUNTIMES, "box", Box())  # type: ignore[arg-type]
    for kept in (ATTIC.things, ATTIC.added, ATTIC.executed, HELD, EVENTS, EXAMINED):
        kept.clear()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "attic.yml"
    file.write_text("name: attic\nengine: attic\nrack: 7\n")
    return file


def launched(file: Path, home: Path, patch: pytest.MonkeyPatch) -> tuple[Allocation, Watching]:
    """A launch as `toolkit launch` does it, whose buckets are good."""

    @contextmanager
    def open_access(*_: object) -> Iterator[Opened]:
        yield Opened({name: Access("http://127.0.0.1:9", Secret("id"), Secret("key")) for name in ("data", "results")})

    patch.setattr(launch, "open_access", open_access)
    patch.setattr(Opened, "examine", lambda *_: EXAMINED.append(time.time()))
    cluster, seen, reports = read_cluster(file), Watching(), list[Progress]()
    wanted = AllocationRequest(MANIFEST, IMAGE, "buckets:1", RUN)
    with allocator_of(cluster).allocate(wanted, reports.append) as allocation:
        where = (allocation.placements, allocation.ssh_port, allocation.master_port)
        plan = make_plan(MANIFEST, cluster, IMAGE, "buckets:1", RUN, *where)
        code = SubmittedCode(file.parent, (), ())
        request = Request(
            *(MANIFEST, plan, file, code, home, assets() / "templates"),
            engines=allocation.engines,
            cluster_file=file,
            leases=allocation.leases,
            confirm=allocation.confirm,
            hand_over=allocation.hand_over,
            stages=allocation.stages,
            asked_at=999.5,
        )
        view: View = seen  # type: ignore[assignment]
        Launch(request, view).run()
    assert [report.detail for report in reports] == [f"for {RUN}"]
    return allocation, seen


def test_its_file_has_fields_of_its_own_which_are_checked(file: Path) -> None:
    assert read_cluster(file) == Cluster("attic", "attic", "none", TIMES, network="10.0.0.0/16", scratch="7")
    file.write_text("name: attic\nengine: attic\nrak: 7\n")
    with pytest.raises(ToolkitError, match="did you mean `rack`"):
        read_cluster(file)
    file.write_text("name: attic\nengine: cellar\ngpu: none\n")
    with pytest.raises(ToolkitError, match=":2:9: engine: input should be 'local', 'ssh' or 'attic'"):
        read_cluster(file)


def test_a_dry_run_asks_it_for_placements(file: Path) -> None:
    assert allocator_of(read_cluster(file)).plan(Compute("cpux1", 2)) == (Placement("attic-7", "10.0.0.7", "eth7"),) * 2


def test_a_run_begins_on_the_hosts_that_it_hands_out(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allocation, seen = launched(file, tmp_path, monkeypatch)
    assert EVENTS == ["confirmed", "handed over", "given back"]
    assert [state for state, _ in seen.states] == [State.PENDING, State.DOWNLOADING]
    learner = ("container", f"toolkit-{RUN}-learner-1")
    assert ATTIC.things[learner] == (RUN, "learner in sha256:abc")
    assert {run for run, _ in ATTIC.things.values()} == {RUN}
    record = Records(tmp_path).find(RUN)
    assert (record.hosts, record.placement) == (("attic-7",), ((1, "attic-7", (0,)),))
    assert record.states[0] == ("QUEUED", 999.5)
    assert record.states[1][1] <= EXAMINED[0] <= record.states[2][1]
    (stages,) = record.host_stages
    assert (stages.host, stages.operator_clock[0], stages.host_clock) == ("attic-7", CLIMBED, ())
    assert [one.name for one in stages.operator_clock[1:2]] == ["agent"]
    assert allocation.notes == ("mind the stairs",)
    assert (f"toolkit-{RUN}-agent", "python3", "-m", "toolkit.agent", "go") in ATTIC.executed


def test_whoever_comes_back_to_the_run_reaches_its_hosts(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched(file, tmp_path, monkeypatch)
    with reached(Records(tmp_path).find(RUN)) as engines:
        assert {host: AgentClient(engine, RUN).presence() for host, engine in engines.items()} == {
            "attic-7": Presence.THERE
        }


def test_a_run_that_is_ended_by_force_gives_its_leases_back(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched(file, tmp_path, monkeypatch)
    assert HELD == [LEASE]
    ended = force_stop(Records(tmp_path).find(RUN), Records(tmp_path), "ada", print)
    assert (ended.state, ended.kept, HELD) == (State.HALTED, ("attic-7",), [])
    assert list(ATTIC.things) == [("volume", f"toolkit-{RUN}")]


def test_cleaning_goes_to_every_host_that_the_cluster_has(file: Path, tmp_path: Path) -> None:
    ATTIC.things["container", "toolkit-training-wxyz6789-learner-1"] = ("training-wxyz6789", "learner")
    found = clean(read_cluster(file), Records(tmp_path), orphans=True)
    assert [(one.host, one.what) for one in found.removed] == [
        ("attic-7", "container toolkit-training-wxyz6789-learner-1")
    ]
    assert (found.failed, ATTIC.things) == ((), {})


@pytest.mark.parametrize("name", list(KINDS))
def test_every_kind_names_what_is_there(name: str) -> None:
    assert callable(loaded(KINDS[name].read))
    assert callable(loaded(KINDS[name].allocator))


def test_this_machine_and_hosts_over_ssh_are_two_kinds() -> None:
    local = read_cluster(assets() / "clusters" / "local.yml")
    lab = read_cluster(assets() / "clusters" / "lab-p100.yml")
    assert (type(allocator_of(local)), local.remote) == (LocalAllocator, False)
    assert (type(allocator_of(lab)), lab.remote) == (SshAllocator, True)


def test_this_machine_has_one_engine_and_nothing_to_take() -> None:
    here = LocalAllocator(Cluster("local", "local", "none", TIMES, binding="none"))
    wanted = AllocationRequest(replace(MANIFEST, compute=Compute("cpux1", 2)), IMAGE, "buckets:1", RUN)
    with here.allocate(wanted, print) as allocation:
        assert (allocation.placements, allocation.engines) == ((ON_THIS_MACHINE,) * 2, {"": LOCAL})
        assert (allocation.notes, allocation.leases) == ((), {})
        assert [one.name for one in allocation.stages[""]] == ["check"]
    assert here.leases(LOCAL) == ()


def test_a_dry_run_on_ssh_hosts_takes_the_first_that_fit() -> None:
    hosts = (Host("h1"), Host("h2", "10.0.0.2", gpu=Gpu("p100", 2)), Host("h3", gpu=Gpu("p100", 2)))
    cluster = Cluster("lab", "ssh", "p100", TIMES, hosts=hosts)
    assert SshAllocator(cluster).plan(Compute("p100x2", 2)) == (
        Placement("h2", "10.0.0.2", gpus=("GPU0", "GPU1"), cpus=RankCpus(("CPUS", "CPUS"))),
        Placement("h3", "h3", gpus=("GPU0", "GPU1"), cpus=RankCpus(("CPUS", "CPUS"))),
    )
    with pytest.raises(ToolkitError, match="does not have 3 × 2 p100"):
        SshAllocator(cluster).plan(Compute("p100x2", 3))

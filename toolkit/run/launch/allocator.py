"""Allocates hosts for runs: a protocol, implemented for this machine and for hosts over ssh."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from toolkit.agent.host_stages import HostStage
from toolkit.cluster.kinds import KINDS, loaded
from toolkit.cluster.model import Cluster
from toolkit.containers.engine import Engine
from toolkit.doctor.facts import HostFacts
from toolkit.leases.model import Holder, Lease
from toolkit.manifest.model import Compute, Manifest
from toolkit.progress import Report
from toolkit.run.plan.run_plan import MASTER_PORT, SSH_PORT, Placement, RunImage
from toolkit.run.plan.training_id import TrainingId


@dataclass(frozen=True)
class AllocationRequest:
    """What a run requests.

    Attributes:
        manifest: its `compute` gives the number of learners, ranks and GPUs.
        image, side_image: what each host must have: the run's image, and the name of the tool's own.
        training_id: the run that the hosts are held for.
        wait: whether to wait until others release what the run needs; else that is an error.
    """

    manifest: Manifest
    image: RunImage
    side_image: str
    training_id: TrainingId
    wait: bool = False


@dataclass(frozen=True)
class Allocation:
    """What a run was allocated. Nothing is started yet.

    Attributes:
        placements: one for each learner, in order; each names its host, which is empty for this machine.
        engines: the container engine of each host that a placement names.
        ssh_port: where the learners' sshd listens; free on every host, unless the run has a network of its own.
        master_port: where rank 0 may listen.
        notes: what the operator should know, such as a skipped host.
        facts: by host, what its allocation found out; for the run's record.
        leases: by host, the label by which the run's containers hold it.
        stages: by host, when its allocation went through which stage, by this machine's clock.
        confirm: called once the run has a container on each host; raises `ToolkitError` (S100) if the run has lost one
            of its hosts by then.
        hand_over: called when the run no longer needs this process. From then on its containers hold its hosts, which
            are not released when the context ends.
    """

    placements: tuple[Placement, ...]
    engines: Mapping[str, Engine]
    ssh_port: int = SSH_PORT
    master_port: int = MASTER_PORT
    notes: tuple[str, ...] = ()
    facts: Mapping[str, HostFacts] = field(default_factory=dict)
    leases: Mapping[str, str] = field(default_factory=dict)
    stages: Mapping[str, tuple[HostStage, ...]] = field(default_factory=dict)
    confirm: Callable[[], None] = lambda: None
    hand_over: Callable[[], None] = lambda: None


class Allocator(Protocol):
    """Hosts for runs on one cluster. Creating one does nothing. Its class is named in `toolkit.cluster.kinds.KINDS`.

    What every implementation guarantees:

    - two runs never get the same GPU, nor the same host if one of them has all of it, whoever launched them;
    - an allocation is released when its context ends, for whatever reason, unless it was handed over; and by itself if
      this process is killed;
    - engines stay usable while their context lasts, and connect on first use.
    """

    def plan(self, compute: Compute) -> tuple[Placement, ...]:
        """What a run would get if nothing else ran, one placement for each learner: what a dry run shows.

        Contacts no host. Values that only a host knows have names in capitals. Raises `ToolkitError` (C104) if the
        cluster does not have what `compute` asks for.
        """
        ...

    def allocate(self, request: AllocationRequest, report: Report) -> AbstractContextManager[Allocation]:
        """The hosts of a run, its own while the context lasts, with both images on each.

        Raises `ToolkitError`: C104 if the cluster can never provide them, S100 if hosts are unfit or taken.
        """
        ...

    def connect(self, hosts: Sequence[str] = ()) -> AbstractContextManager[Mapping[str, Engine]]:
        """The engines of `hosts` by name and in their order, for reconnecting to a run; default: of all hosts that the
        cluster has now. This machine has one, whose name is empty."""
        ...

    def leases(self, engine: Engine) -> tuple[Holder, ...]:
        """Who holds what on the host of `engine`; empty if leases are not kept on the hosts themselves.

        Raises `ToolkitError` (S100) if that host does not answer.
        """
        ...

    def release(self, engine: Engine, lease: Lease) -> None:
        """Release an ended run's lease on the host of `engine`, unless it is gone. Raises `ToolkitError` (S100)."""
        ...


def allocator_of(cluster: Cluster) -> Allocator:
    """The allocator of the cluster's kind."""
    made: Allocator = loaded(KINDS[cluster.engine].allocator)(cluster)
    return made


def release_run(allocator: Allocator, engine: Engine, run: str) -> None:
    """Release what `run`, without an agent now, has leased on the host of `engine`. Raises `ToolkitError` (S100)."""
    for holder in allocator.leases(engine):
        if holder.lease.run == run:
            allocator.release(engine, holder.lease)

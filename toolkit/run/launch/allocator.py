"""Allocates hosts for runs: a protocol, implemented for this machine and for hosts over ssh."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from toolkit.cluster.kinds import KINDS, loaded
from toolkit.cluster.model import Cluster
from toolkit.containers.engine import Engine
from toolkit.leases.model import Holder, Lease
from toolkit.manifest.model import Compute, Manifest
from toolkit.progress import Report
from toolkit.run.plan.run_plan import MASTER_PORT, SSH_PORT, Placement, RunImage
from toolkit.run.plan.training_id import TrainingId


def _nothing() -> None:
    """There is nothing to confirm or to transfer."""


@dataclass(frozen=True)
class AllocationRequest:
    """What a run asks for.

    Attributes:
        manifest: whose `compute` says how many learners, ranks and GPUs.
        image, side_image: what each host must have: the run's image, and the name of the tool's own.
        training_id: the run, in whose name hosts are held.
        wait: whether to wait until others give back what the run needs; else that is an error.
    """

    manifest: Manifest
    image: RunImage
    side_image: str
    training_id: TrainingId
    wait: bool = False


@dataclass(frozen=True)
class Allocation:
    """What a run got. Nothing of it is started yet.

    Attributes:
        placements: the learners', in their order; each names its host, which is empty for this machine.
        engines: the container engine of each host that a placement names.
        ssh_port: where the learners' sshd listens; free on every host, unless the run has a network of its own.
        master_port: where rank 0 may listen.
        notes: what the operator should know, such as a skipped host.
        leases: by host, the labels of the run's containers by which they hold it.
        confirm: called once the run has a container on each host; raises `ToolkitError` (S100) where the run has lost
            one of its hosts before.
        hand_over: called when the run has a life of its own. Its hosts are held by its containers from there on, and
            stay its own when the context ends.
    """

    placements: tuple[Placement, ...]
    engines: Mapping[str, Engine]
    ssh_port: int = SSH_PORT
    master_port: int = MASTER_PORT
    notes: tuple[str, ...] = ()
    leases: Mapping[str, str] = field(default_factory=dict)
    confirm: Callable[[], None] = _nothing
    hand_over: Callable[[], None] = _nothing


class Allocator(Protocol):
    """Hosts for runs on one cluster. Making one does nothing. Its class is named in `toolkit.cluster.kinds.KINDS`.

    What every implementation guarantees:

    - two runs never get the same GPU, nor the same host where one of them got it as a whole, whoever launched them;
    - what an allocation holds is given back when its context ends, however that comes about, unless it was handed over;
      and by itself where this process is killed;
    - engines stay usable while their context lasts, and nothing is connected before the first use.
    """

    def plan(self, compute: Compute) -> tuple[Placement, ...]:
        """What a run would get if nothing else ran, one placement for each learner: what a dry run shows.

        Asks no host. What only a host knows has a name in capitals. Raises `ToolkitError` (C104) where the cluster
        does not have what `compute` asks for.
        """
        ...

    def allocate(self, request: AllocationRequest, report: Report) -> AbstractContextManager[Allocation]:
        """The hosts of a run, its own while the context lasts, with both images on each.

        Raises `ToolkitError`: C104 where the cluster can never have them, S100 where hosts are not fit or taken.
        """
        ...

    def connect(self, hosts: Sequence[str] = ()) -> AbstractContextManager[Mapping[str, Engine]]:
        """The engines of `hosts` by name and in their order, for whoever comes back to a run; default: of all hosts
        that the cluster has now. This machine has one, whose name is empty."""
        ...

    def leases(self, engine: Engine) -> tuple[Holder, ...]:
        """Who holds what on the host of `engine`; nothing where hosts are not held by leases on themselves.

        Raises `ToolkitError` (S100) where that host does not answer.
        """
        ...

    def release(self, engine: Engine, lease: Lease) -> None:
        """Give back a lease of a run that has ended, on the host of `engine`; it is no error if it is gone.

        Raises `ToolkitError` (S100).
        """
        ...


def allocator_of(cluster: Cluster) -> Allocator:
    """The allocator of the cluster's kind."""
    made: Allocator = loaded(KINDS[cluster.engine].allocator)(cluster)
    return made


def release_run(allocator: Allocator, engine: Engine, run: str) -> None:
    """Give back what `run` holds on the host of `engine` by leases, when it has no agent any more.

    Raises `ToolkitError` (S100).
    """
    for holder in allocator.leases(engine):
        if holder.lease.run == run:
            allocator.release(engine, holder.lease)

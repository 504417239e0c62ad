"""This machine as a cluster: its cores, its engine, what other runs are bound to."""

from __future__ import annotations

import errno
import os
import platform
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

from toolkit.agent.host_stages import Stopwatch
from toolkit.cluster.model import UNBOUND, Cluster
from toolkit.containers.engine import LOCAL, Engine
from toolkit.doctor.facts import HostFacts
from toolkit.doctor.topics.cores import cores_of
from toolkit.doctor.topics.engine import engine_facts
from toolkit.doctor.topics.machine import CORES
from toolkit.leases.model import Holder, Lease
from toolkit.manifest.model import Compute
from toolkit.progress import Report
from toolkit.run.launch.allocator import Allocation, AllocationRequest, Allocator
from toolkit.run.plan.binding import Machine, bind_here, machine_of
from toolkit.run.plan.run_plan import ON_THIS_MACHINE, Placement

_NAME = "\0toolkit-launch-cpus"
"""In Linux's abstract namespace: no file, a killed process leaves nothing behind, and all users share it."""
_PATIENCE_SECONDS = 15.0
_PAUSE_SECONDS = 0.05


class Turn:
    """One launch at a time looks for free CPUs here, until its run has a container that records which it took.

    After 15 s a launch stops waiting: two runs may then get the same CPUs, which is no reason not to start.
    """

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_UNIX)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def look(self, engine: Engine = LOCAL) -> Machine:
        """This machine, once it is our turn. Raises `ToolkitError` (S100) if no engine answers."""
        self._wait()
        said = engine.run(engine.runtime.describe()).output.splitlines()
        used = engine.run(engine.runtime.cpus_in_use()).output
        return machine_of(look_at_cores(engine).cores, engine_facts(said), platform.release(), used)

    def _wait(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                self._socket.bind(_NAME)
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    return
            time.sleep(_PAUSE_SECONDS)

    def end(self) -> None:
        """Let the next launch look."""
        self._socket.close()


def look_at_cores(engine: Engine = LOCAL) -> Machine:
    """Its cores only: no engine is contacted."""
    return Machine(cores_of(engine.shell.run(["sh", "-c", CORES]).output))


def facts_here() -> HostFacts:
    """What the kernel says without being looked for. Memory in bytes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return HostFacts("", kernel=platform.release(), cpus=len(os.sched_getaffinity(0)), memory=memory)


class LocalAllocator(Allocator):
    """Runs on this machine share its engine and its cores: nothing is leased or released."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def plan(self, compute: Compute) -> tuple[Placement, ...]:
        """See `Allocator.plan`. Reads the cores; only a launch checks which of them other runs use."""
        return self._placements(compute, look_at_cores)

    @contextmanager
    def allocate(self, request: AllocationRequest, report: Report) -> Iterator[Allocation]:  # noqa: ARG002 (quick)
        """See `Allocator.allocate`. Other launches wait until the run's containers say which CPUs it took."""
        times = Stopwatch()
        with Turn() as turn:
            with times.stage("check"):
                placements = self._placements(request.manifest.compute, turn.look)
            facts, stages = {"": facts_here()}, {"": times.taken}
            yield Allocation(placements, {"": LOCAL}, facts=facts, stages=stages, confirm=turn.end)

    @contextmanager
    def connect(self, hosts: Sequence[str] = ()) -> Iterator[Mapping[str, Engine]]:  # noqa: ARG002 (it has one)
        yield {"": LOCAL}

    def leases(self, engine: Engine) -> tuple[Holder, ...]:  # noqa: ARG002 (it has none)
        return ()

    def release(self, engine: Engine, lease: Lease) -> None: ...

    def _placements(self, compute: Compute, look: Callable[[], Machine]) -> tuple[Placement, ...]:
        """The machine is examined only if ranks are to be bound."""
        if self._cluster.binding == UNBOUND:
            return (ON_THIS_MACHINE,) * compute.nodes
        return tuple(
            Placement(cpus=one) for one in bind_here(look(), compute.nodes, compute.ranks_per_node, compute.cpus)
        )

"""Allocate hosts, step by step: check the hosts, lease those that are fit and free, transfer the images.

Whatever happens, the leases are released when the context ends, and nothing is started until everything is ready.
"""

from __future__ import annotations

import os
import pwd
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from toolkit.agent.host_stages import Clock, Stopwatch
from toolkit.cluster.model import Cluster, Host
from toolkit.compatibility.reader import read_table
from toolkit.containers.engine import Engine
from toolkit.doctor.examine import gather, short
from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding
from toolkit.doctor.requirements import asked_of
from toolkit.errors import Code, Problem, ToolkitError
from toolkit.hosts.cluster_hosts import Hosts
from toolkit.hosts.shell import Shell
from toolkit.image.store import ImageStore
from toolkit.leases.client import acquire_all, holders, kept, release, release_all, renew_all
from toolkit.leases.model import Holder, Lease, Taken, new_lease
from toolkit.manifest.model import Compute
from toolkit.paths import assets
from toolkit.progress import Progress, Report
from toolkit.run.launch.allocator import Allocation, AllocationRequest, Allocator
from toolkit.run.launch.placement import (
    choose_hosts,
    free_gpus,
    free_port,
    master_port,
    placement_on,
    planned_on,
    skipped,
    taken_by,
)
from toolkit.run.plan.run_plan import Placement
from toolkit.runtimes.registry import RUNTIMES
from toolkit.shipping.hosts.ship import Shipped, ship

_POLL_SECONDS = 5.0
_STAGE = "hosts"
_WAYS = {"there": "already there", "registry": "from the registry", "operator": "from this machine"}


class SshAllocator(Allocator):
    """Hosts of the cluster file, reached over ssh; leases in their engines record who holds them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._program = cluster, RUNTIMES[cluster.container_engine].program

    def plan(self, compute: Compute) -> tuple[Placement, ...]:
        return planned_on(self._cluster, compute)

    @contextmanager
    def allocate(self, request: AllocationRequest, report: Report) -> Iterator[Allocation]:
        with ExitStack() as stack:
            yield _Allocating(self._cluster, request, report, stack).run()

    @contextmanager
    def connect(self, hosts: Sequence[str] = ()) -> Iterator[Mapping[str, Engine]]:
        with Hosts(self._cluster) as found:
            names = hosts or [shell.name for shell in found.shells]
            yield {name: Engine(found.shell(name), self._cluster.container_engine) for name in names}

    def leases(self, engine: Engine) -> tuple[Holder, ...]:
        return holders(engine.shell, engine=self._program)

    def release(self, engine: Engine, lease: Lease) -> None:
        release(engine.shell, lease, engine=self._program)


class _Allocating:
    """Hosts of `cluster` for one run, its own until `stack` is closed. `run` is the workflow."""

    def __init__(self, cluster: Cluster, request: AllocationRequest, report: Report, stack: ExitStack) -> None:
        self._cluster, self._request, self._report, self._stack = cluster, request, report, stack
        self._compute = request.manifest.compute
        self._program = RUNTIMES[cluster.container_engine].program
        self._leases, self._labels = list[tuple[Shell, Lease]](), dict[str, str]()
        self._clock = Clock()
        self._times = {host.name: Stopwatch(self._clock) for host in cluster.hosts}
        self._hosts = stack.enter_context(Hosts(cluster))
        stack.callback(release_all, self._leases, engine=self._program)

    def run(self) -> Allocation:
        """Check and lease hosts, transfer images. Raises `ToolkitError`: hosts unfit or taken, a failed transfer.

        If the request says so, it waits until others release what this run needs.
        """
        facts, findings = self._look()
        chosen, gpus = self._take(facts, findings)
        self._stack.enter_context(kept(self._leases, engine=self._program))
        container_engine = self._cluster.container_engine
        engines = {host.name: Engine(self._hosts.shell(host.name), container_engine) for host in chosen}
        mine = [facts[host.name] for host in chosen]
        placements = tuple(placement_on(one, self._cluster, gpus[one.name], self._compute) for one in mine)
        self._ship(engines, placements)
        confirm = partial(renew_all, self._leases, engine=self._program)
        confirm()
        return Allocation(
            placements=placements,
            engines=engines,
            ssh_port=free_port(mine),
            master_port=master_port(mine[0], placements[0].gpus),
            notes=tuple(f"skipped: {one.host}: {one.found}" for one in skipped(self._cluster, chosen, findings)),
            facts={one.name: one for one in mine},
            leases=self._labels,
            stages={host.name: self._times[host.name].taken for host in chosen},
            confirm=confirm,
            hand_over=self._hand_over,
        )

    def _hand_over(self) -> None:
        """The run is independent now: its containers hold the leases while they run."""
        leases = tuple(self._leases)
        self._leases.clear()
        release_all(leases, engine=self._program)

    def _look(self) -> tuple[dict[str, HostFacts], tuple[Finding, ...]]:
        self._report(Progress(_STAGE, f"checking {len(self._cluster.hosts)}"))
        asked = asked_of(self._cluster, read_table(assets() / "images"), self._request.manifest)
        answers = gather(self._hosts, asked, lambda host: self._times[host].stage("check"))
        return {answer.host: answer.value for answer in answers if answer.value}, short(answers, asked)

    def _take(
        self, facts: Mapping[str, HostFacts], findings: Sequence[Finding]
    ) -> tuple[tuple[Host, ...], dict[str, tuple[str, ...]]]:
        """Lease hosts; returns them and, by host, the UUIDs of their GPUs."""
        compute, begun = self._compute, self._clock.now()
        choose_hosts(self._cluster, compute, findings, {})  # what can never be had is an error now; do not wait for it
        while True:
            held = self._held(tuple(facts))
            try:
                chosen = choose_hosts(self._cluster, compute, findings, taken_by(held))
            except ToolkitError as error:
                if not self._request.wait:
                    raise with_holders(error, held) from None
                self._wait(held)
                continue
            gpus = {host.name: free_gpus(facts[host.name], host, held, compute.gpus_per_node) for host in chosen}
            if self._acquire(gpus):
                for host in chosen:
                    self._times[host.name].add("lease", begun)
                return chosen, gpus

    def _acquire(self, gpus: Mapping[str, tuple[str, ...]]) -> bool:
        """Whether all leases were acquired; false if another launch was first, which is then reported."""
        user, operator = _account(), socket.gethostname()
        wanted = [
            (self._hosts.shell(name), new_lease(self._request.training_id, user, operator, ours))
            for name, ours in gpus.items()
        ]
        held = acquire_all(wanted, engine=self._program)
        if isinstance(held, Taken):
            return False
        self._leases += wanted
        self._labels = {one.host: one.label for one in held}
        return True

    def _held(self, names: Sequence[str]) -> dict[str, tuple[Holder, ...]]:
        """Who holds what now, by host; a lease whose run no longer exists holds nothing.

        A host that does not answer counts as free: leasing it then raises its own error.
        """
        engine = self._program
        answers = self._hosts.each(lambda shell: holders(shell, engine=engine), names)
        return {answer.host: tuple(one for one in answer.value or () if one.state == "held") for answer in answers}

    def _wait(self, held: Mapping[str, Sequence[Holder]]) -> None:
        runs = sorted({f"{one.lease.run} of {one.lease.user}" for ones in held.values() for one in ones})
        self._report(Progress(_STAGE, f"waiting for {', '.join(runs) or 'others'}"))
        time.sleep(_POLL_SECONDS)

    def _ship(self, engines: Mapping[str, Engine], placements: Sequence[Placement]) -> None:
        """The side container's image first: hosts relay the other one with it."""
        store, image, side_image = ImageStore(), self._request.image, self._request.side_image
        addresses = {placement.host: placement.address for placement in placements}
        begun = self._clock.now()

        def arrived(shipped: Shipped) -> None:
            self._times[shipped.host].add("image", begun, _WAYS.get(shipped.way, f"from {shipped.way}"))

        for image_id, reference in ((store.get(side_image).image_id, side_image), (image.image_id, image.reference)):
            ship(
                image_id,
                reference,
                store,
                list(engines.values()),
                self._report,
                registry=self._cluster.registry,
                relay_image=side_image,
                addresses=addresses,
                arrived=arrived if reference == image.reference else lambda _: None,
            )


def _account() -> str:
    """This process's account by user ID: LOGNAME can be set to anything."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user may have no name
        return str(os.getuid())


def with_holders(error: ToolkitError, held: Mapping[str, Sequence[Holder]]) -> ToolkitError:
    """The error with the holders added: the operator may know them."""
    problems = tuple(Problem(f"{host}: {holder}") for host, ones in held.items() for holder in ones)
    if not problems:
        return error
    return ToolkitError(
        Code.RESOURCES, error.what, problems, hint="launch with --wait, or on other hosts", context=error.context
    )

"""Placement: which of a cluster's hosts a run takes, and their GPUs. Pure; `ssh_allocation` queries the hosts."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from toolkit.cluster.gpu_kinds import same_kind
from toolkit.cluster.model import NO_GPU, UNBOUND, Cluster, Host
from toolkit.cluster.pick import pick_hosts
from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding, Verdict, refuse
from toolkit.errors import ToolkitError
from toolkit.leases.model import Holder
from toolkit.manifest.model import Compute
from toolkit.run.plan.binding import bind_on
from toolkit.run.plan.run_plan import CPUS, Placement, RankCpus

_RUN_PORTS = range(20000, 30000)
_MASTER_PORTS = range(30000, 32000)
"""Both are below Linux's ephemeral ports (32768 and up), above those where services listen."""
_MOST_GPUS = 64
"""On one host, as a cluster file may list."""
_EVERYTHING = 1 << 16
"""More GPUs than any host has: a host that is leased as a whole has none left."""


def choose_hosts(
    cluster: Cluster, compute: Compute, findings: Sequence[Finding], taken: Mapping[str, int]
) -> tuple[Host, ...]:
    """The hosts that `compute` gets: those that are fit, in the file's order.

    A host that has failed a check is skipped if there are others; if not, the error lists all findings of the hosts
    that would have been taken. Raises `ToolkitError` (S100, or C104 as `pick_hosts` does).
    """
    unfit = {finding.host for finding in findings if finding.verdict is Verdict.FAIL}
    wanted = (compute.kind, compute.ranks_per_node, compute.nodes)
    first = pick_hosts(cluster, *wanted, taken=taken)
    if not unfit:
        return first
    try:
        return pick_hosts(cluster, *wanted, taken={**taken, **dict.fromkeys(unfit, _EVERYTHING)})
    except ToolkitError:
        names = {host.name for host in first}
        refuse([finding for finding in findings if finding.host in names], cluster.name)
        refuse(findings, cluster.name)
        raise


def planned_on(cluster: Cluster, compute: Compute) -> tuple[Placement, ...]:
    """Where a run's learners would be if no host were in use: on the first ones of the file that fit.

    Only the hosts know their addresses, GPUs and CPUs. Raises `ToolkitError` (C104) as `pick_hosts` does.
    """
    hosts = pick_hosts(cluster, compute.kind, compute.ranks_per_node, compute.nodes)
    count = 0 if cluster.gpu == NO_GPU else compute.gpus_per_node
    gpus = tuple(f"GPU{number}" for number in range(count))
    cpus = RankCpus(() if cluster.binding == UNBOUND else (CPUS,) * compute.ranks_per_node)
    return tuple(Placement(host.name, host.address or host.name, gpus=gpus, cpus=cpus) for host in hosts)


def skipped(cluster: Cluster, chosen: Sequence[Host], findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Why hosts listed before the last chosen one were skipped, for the operator."""
    names = [host.name for host in cluster.hosts]
    last = max(names.index(host.name) for host in chosen)
    earlier = set(names[:last]) - {host.name for host in chosen}
    return tuple(one for one in findings if one.host in earlier and one.verdict is Verdict.FAIL)


def placement_on(facts: HostFacts, cluster: Cluster, gpus: Sequence[str], compute: Compute) -> Placement:
    """The placement on a host; `gpus` are the UUIDs of the GPUs leased there. Raises as `HostFacts.place_in` does."""
    interface, address = facts.place_in(cluster.network)
    folders = {str(PurePosixPath(device).parent) for device in facts.rdma_devices}
    cpus = bind_on(facts, gpus, cluster.binding, compute.ranks_per_node, compute.cpus)
    spared = (facts.pid_max or 0) // 2
    return Placement(facts.name, address, interface.name, tuple(gpus), tuple(sorted(folders)), cpus, spared)


def free_port(facts: Iterable[HostFacts]) -> int:
    """A port for the learners' sshd that is free on all of the hosts."""
    busy = frozenset().union(*(one.ports_in_use for one in facts))
    return random.choice([port for port in _RUN_PORTS if port not in busy])  # noqa: S311 (no secret)


def master_port(facts: HostFacts, gpus: Sequence[str]) -> int:
    """Where rank 0's program may listen on learner 1's host, on which the run has leased `gpus`, or all.

    Nothing listens there until a program does, so another launch cannot see that it is taken. But runs on one host have
    different GPUs, and each GPU has ports of its own.
    """
    own = min((index for index, gpu in enumerate(facts.gpus) if gpu.uuid in gpus), default=0)
    ports = _MASTER_PORTS[own % _MOST_GPUS :: _MOST_GPUS]
    return next((port for port in ports if port not in facts.ports_in_use), ports[0])


def taken_by(held: Mapping[str, Sequence[Holder]]) -> dict[str, int]:
    """How much of each host others hold, as `pick_hosts` counts it: GPUs, or all of it."""
    return {
        host: sum(len(holder.lease.gpus) or _EVERYTHING for holder in holders)
        for host, holders in held.items()
        if holders
    }


def free_gpus(facts: HostFacts, host: Host, held: Mapping[str, Sequence[Holder]], count: int) -> tuple[str, ...]:
    """The first `count` free GPUs of the host's kind, by UUID; none on a host without GPUs, which is leased as a whole,
    as it is for a run that asks for no GPUs."""
    if host.gpu is None:
        return ()
    gone = {gpu for holder in held.get(host.name, ()) for gpu in holder.lease.gpus}
    free = [gpu.uuid for gpu in facts.gpus if same_kind(gpu.kind, host.gpu.kind) and gpu.uuid not in gone]
    return tuple(free[:count])

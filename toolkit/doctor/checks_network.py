"""The checks of what lies between hosts: pure, from facts and from what probes answered to findings."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.cluster.jump import parse_hop
from toolkit.cluster.model import Cluster
from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding, fail, ok, skipped, warn
from toolkit.doctor.requirements import Asked
from toolkit.errors import ToolkitError

_AT_HOME = "runs have a network of their own on this machine"
_MOST_NAMED = 4
_ENGINES_OWN = ("docker", "br-", "veth", "virbr", "cni", "podman", "lxc", "lxd")
"""Bridges of engines and virtual machines: what is behind them is on the host itself."""


@dataclass(frozen=True)
class Target:
    """A host as others reach it: `run_port` is one of those that runs use, where nothing listens now; `open_port` is
    its sshd's, which may well be for another network alone."""

    host: str
    address: str
    open_port: int
    run_port: int


@dataclass(frozen=True)
class Probes:
    """What a host heard from `(address, port)`: `open`, or the system's words, `Connection refused`.

    One that is not there gave no answer within the time. `trouble`: why the host could not try at all.
    """

    answers: Mapping[tuple[str, int], str]
    trouble: str = ""


def network(facts: HostFacts, asked: Asked) -> Finding:
    """Exactly one address in the cluster's network."""
    if not asked.cluster.network:
        return ok(facts.name, "network", _AT_HOME)
    try:
        interface, address = facts.place_in(asked.cluster.network)
    except ToolkitError as error:
        return fail(facts.name, "network", error.what.partition(": ")[2], error.hint)
    return ok(facts.name, "network", f"{address} on {interface.name}")


def link(facts: HostFacts, asked: Asked) -> Finding:
    """MTU and speed of the interface in the cluster's network."""
    if not asked.cluster.network:
        return ok(facts.name, "link", _AT_HOME)
    try:
        interface, _ = facts.place_in(asked.cluster.network)
    except ToolkitError:
        return skipped(facts.name, "link", "it has no one address in the cluster's network")
    if interface.mtu is None:
        return skipped(facts.name, "link", f"{interface.name} does not tell its MTU")
    speed = f"{interface.speed} Mb/s" if interface.speed else "it does not tell its speed"
    found = f"{interface.name}: MTU {interface.mtu}, {speed}"
    if interface.speed and interface.speed < 1000:
        return warn(facts.name, "link", found, "a cable or a port of a switch that fell back? ethtool tells")
    return ok(facts.name, "link", found)


def other_networks(facts: HostFacts, asked: Asked) -> Finding:
    """Whether Open MPI, which listens on every address of a host, listens on others than those of the cluster."""
    check = "other networks"
    if not asked.cluster.network:
        return ok(facts.name, check, _AT_HOME)
    if not facts.interfaces:
        return skipped(facts.name, check, "could not be learnt")
    others = [
        f"{address} on {interface.name}"
        for interface in facts.interfaces
        if not interface.name.startswith(_ENGINES_OWN)
        for address in interface.addresses
        if _is_elsewhere(address, asked.cluster.network)
    ]
    if not others:
        return ok(facts.name, check, f"it has no address outside {asked.cluster.network}")
    named = ", ".join(others[:_MOST_NAMED]) + (f", and {len(others) - _MOST_NAMED} more" if others[4:] else "")
    if facts.firewall == "closed":
        return ok(facts.name, check, f"{named}; its firewall refuses what no rule allows")
    known = "its firewall lets in what no rule refuses" if facts.firewall else "its firewall could not be read"
    hint = (
        "let the host's firewall refuse connections from those networks to TCP ports from 1024 on: Open MPI's daemons "
        "and ranks listen there while a run goes on (docs/security.md)"
    )
    return warn(facts.name, check, f"runs can be reached on {named}, too; {known}", hint)


def _is_elsewhere(address: str, network: str) -> bool:
    one = ipaddress.ip_address(address)
    return not (one.is_loopback or one.is_link_local or one in ipaddress.ip_network(network))


def rdma(facts: HostFacts, _asked: Asked) -> Finding:
    """Adapters in the kernel have device files that a container can be given."""
    if facts.rdma_adapters and not facts.rdma_devices:
        found = f"{', '.join(facts.rdma_adapters)} without /dev/infiniband"
        return warn(facts.name, "rdma", found, "on the host, as root: modprobe ib_uverbs rdma_ucm")
    if not facts.rdma_adapters and not facts.whole:
        return skipped(facts.name, "rdma", "could not be learnt")
    return ok(facts.name, "rdma", ", ".join(facts.rdma_adapters) or "no RDMA adapter")


def hosts_behind(facts: HostFacts, cluster: Cluster) -> int:
    """How many hosts are reached through this one, where the cluster's file names it as the jump host."""
    if not cluster.access.jump:
        return 0
    gate = parse_hop(cluster.access.jump).name
    own = {facts.name, facts.hostname, *(host.address for host in cluster.hosts if host.name == facts.name)}
    return len(cluster.hosts) - 1 if gate in own - {""} else 0


def own_address(every: Sequence[HostFacts], network: str) -> tuple[Finding, ...]:
    """No two hosts have the same address in the network, as with a bridge that each engine made for itself."""
    addresses: dict[str, list[HostFacts]] = {}
    for facts in every if network else ():
        for _, address in facts.addresses_in(network)[:1]:
            addresses.setdefault(address, []).append(facts)
    first = {facts.name: (address, those[0]) for address, those in addresses.items() for facts in those}
    return tuple(_own_address(facts, *first.get(facts.name, ("", facts))) for facts in every)


def _own_address(facts: HostFacts, address: str, first: HostFacts) -> Finding:
    if first.name == facts.name:
        return ok(facts.name, "own address", f"{address} is no other host's" if address else "there is none to compare")
    if facts.boot and facts.boot == first.boot:
        found = f"{facts.name} and {first.name} are one machine: {address}"
        return warn(facts.name, "own address", found, "list a machine once in the cluster's file")
    hint = "`network` in the cluster's file is one that the hosts share, not a bridge that each has for itself"
    return fail(facts.name, "own address", f"{first.name} has {address}, too", hint)


def reach(targets: Sequence[Target], heard: Mapping[str, Probes]) -> tuple[Finding, ...]:
    """Whether each host reaches each other one; a host that none reaches is one finding, its own.

    A port where nothing listens refuses at once, so a refusal is an answer of the host; a firewall's silence is none.
    """
    sources = [host for host in heard if not heard[host].trouble]
    wrong = {
        (source, target.host): what
        for source in sources
        for target in targets
        if source != target.host and (what := _wrong(target, heard[source]))
    }
    lost = {
        target.host
        for target in targets
        if sum(source != target.host for source in sources) > 1
        and all((source, target.host) in wrong for source in sources if source != target.host)
    }
    return tuple(_reach_of(host, targets, heard[host], wrong, lost) for host in heard)


def _reach_of(
    host: str, targets: Sequence[Target], own: Probes, wrong: Mapping[tuple[str, str], str], lost: set[str]
) -> Finding:
    others = [target for target in targets if target.host != host]
    hint = (
        "let the hosts reach each other on the cluster's network by TCP, any port from 1024 on: firewall, routes, VLAN"
    )
    if own.trouble:
        return skipped(host, "reach", own.trouble)
    if host in lost:
        said = next(what for (_, target), what in wrong.items() if target == host)
        return fail(host, "reach", f"no other host reaches it: {said}", hint)
    said_of = [f"{target.host} ({what})" for target in others if (what := wrong.get((host, target.host), ""))]
    said_of = [one for one in said_of if one.partition(" ")[0] not in lost]
    if said_of:
        more = f", and {len(said_of) - _MOST_NAMED} more" if len(said_of) > _MOST_NAMED else ""
        return fail(host, "reach", f"it does not reach {', '.join(said_of[:_MOST_NAMED])}{more}", hint)
    if not others:
        return ok(host, "reach", "there is no other host to reach")
    return ok(host, "reach", f"it reaches {len(others) - len(lost)} of {len(others)} others")


def is_reached(said: str) -> bool:
    """Whether a host that answered `said` on a run's port is reached there: it refuses at once, or lets in."""
    return said == "open" or "refused" in said.lower()


def _wrong(target: Target, heard: Probes) -> str:
    """What is wrong on the way to `target`; empty where nothing is."""
    said = heard.answers.get((target.address, target.run_port), "no answer")
    if is_reached(said):
        return ""
    at_sshd = heard.answers.get((target.address, target.open_port), "no answer")
    besides = ", though its sshd answers: a firewall" if at_sshd == "open" else ""
    return f"{target.address} port {target.run_port}: {said}{besides}"

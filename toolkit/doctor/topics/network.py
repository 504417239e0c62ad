"""The host's place in the cluster's network: addresses, link, other networks, firewall."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding, fail, ok, skipped, warn
from toolkit.doctor.printed import Printed
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Topic
from toolkit.doctor.topics.addresses import firewall, interfaces
from toolkit.errors import ToolkitError
from toolkit.plural import listed
from toolkit.shell_files import shell_program

_AT_HOME = "runs use their own network on this machine"
_MOST_NAMED = 4
_ENGINES_OWN = ("docker", "br-", "veth", "virbr", "cni", "podman", "lxc", "lxd")
"""Bridges of engines and virtual machines: they lead to the host itself."""


def read(printed: Printed) -> dict[str, object]:
    """Interfaces with their addresses, and the firewall."""
    return {"interfaces": interfaces(printed.sections), "firewall": firewall(printed.lines("firewall"))}


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
        return skipped(facts.name, "link", "it does not have exactly one address in the cluster's network")
    if interface.mtu is None:
        return skipped(facts.name, "link", f"{interface.name} does not report its MTU")
    speed = f"{interface.speed} Mb/s" if interface.speed else "unknown speed"
    found = f"{interface.name}: MTU {interface.mtu}, {speed}"
    if interface.speed and interface.speed < 1000:
        return warn(facts.name, "link", found, "a bad cable or switch port? check with ethtool")
    return ok(facts.name, "link", found)


def other_networks(facts: HostFacts, asked: Asked) -> Finding:
    """Whether Open MPI, which listens on every address of a host, listens outside the cluster's network."""
    check = "other networks"
    if not asked.cluster.network:
        return ok(facts.name, check, _AT_HOME)
    if not facts.interfaces:
        return skipped(facts.name, check, "could not be determined")
    others = [
        f"{address} on {interface.name}"
        for interface in facts.interfaces
        if not interface.name.startswith(_ENGINES_OWN)
        for address in interface.addresses
        if _is_elsewhere(address, asked.cluster.network)
    ]
    if not others:
        return ok(facts.name, check, f"no address outside {asked.cluster.network}")
    named = listed(others, _MOST_NAMED, ", and ")
    if facts.firewall == "closed":
        return ok(facts.name, check, f"{named}; its firewall denies by default")
    known = "its firewall accepts by default" if facts.firewall else "its firewall rules could not be read"
    hint = (
        "let the host's firewall refuse connections from those networks to TCP ports from 1024 on: Open MPI's daemons "
        "and ranks listen there during a run (docs/security.md)"
    )
    return warn(facts.name, check, f"runs are reachable on {named}, too; {known}", hint)


def _is_elsewhere(address: str, network: str) -> bool:
    one = ipaddress.ip_address(address)
    return not (one.is_loopback or one.is_link_local or one in ipaddress.ip_network(network))


def own_address(every: Sequence[HostFacts], network: str) -> tuple[Finding, ...]:
    """No two hosts have the same address in the network, as with a bridge that each engine creates locally."""
    addresses: dict[str, list[HostFacts]] = {}
    for facts in every if network else ():
        for _, address in facts.addresses_in(network)[:1]:
            addresses.setdefault(address, []).append(facts)
    first = {facts.name: (address, those[0]) for address, those in addresses.items() for facts in those}
    return tuple(_own_address(facts, *first.get(facts.name, ("", facts))) for facts in every)


def _own_address(facts: HostFacts, address: str, first: HostFacts) -> Finding:
    if first.name == facts.name:
        return ok(facts.name, "own address", f"{address} is unique" if address else "nothing to compare")
    if facts.boot and facts.boot == first.boot:
        found = f"{facts.name} and {first.name} are one machine: {address}"
        return warn(facts.name, "own address", found, "list each machine once in the cluster file")
    hint = "set `network` in the cluster file to one that the hosts share, not a bridge local to each host"
    return fail(facts.name, "own address", f"{first.name} also has {address}", hint)


TOPIC = Topic(
    script=shell_program("toolkit.doctor.topics", "network.sh"),
    read=read,
    before_launch={"network": network},
    checks={"link": link, "other networks": other_networks},
    compared_before_launch={"own address": lambda every, asked: own_address(every, asked.cluster.network)},
)

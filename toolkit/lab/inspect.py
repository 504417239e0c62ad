"""Reads labs from the engine; changes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from toolkit.containers.engine import LOCAL
from toolkit.errors import Code, ToolkitError
from toolkit.lab import lab_argv
from toolkit.lab.model import Lab, LabHost, Net
from toolkit.runtimes.docker import list_names, list_values
from toolkit.runtimes.specs import NOUNS, Noun


def lab_names() -> tuple[str, ...]:
    """All labs that have anything in this machine's engine, whoever owns them."""
    labels = [LOCAL.run(list_values("docker", noun, lab_argv.LAB_LABEL)).output.split() for noun in NOUNS]
    return tuple(sorted(set().union(*labels)))


def hosts_of(name: str) -> tuple[LabHost, ...]:
    """The hosts of lab `name`, running or not, by number."""
    return read_hosts(_inspected("container", names_of("container", name)), name)


def names_of(noun: Noun, lab: str) -> list[str]:
    """The containers, networks or volumes of the lab `lab`. Raises `ToolkitError` (S100) without an engine."""
    return LOCAL.run(list_names("docker", noun, f"{lab_argv.LAB_LABEL}={lab}")).output.split()


def host_of(lab: Lab, number: int) -> LabHost | None:
    """One host of `lab`, running or not; None if there is none."""
    return next(iter(read_hosts(_inspected("container", [lab.container(number)]), lab.name)), None)


def folders_of(name: str) -> frozenset[Path]:
    """The folder in which the owner of lab `name` keeps its key: one, or none."""
    found = [(noun, one) for noun in NOUNS for one in _inspected(noun, names_of(noun, name))]
    labels = [one["Config"]["Labels"] if noun == "container" else one["Labels"] for noun, one in found]
    return frozenset(Path(label[lab_argv.FOLDER_LABEL]) for label in labels if lab_argv.FOLDER_LABEL in label)


def net_of(lab: Lab) -> Net:
    """The lab's network; raises `ToolkitError` (S100) if there is none."""
    return read_net(json.loads(LOCAL.run(lab_argv.inspect("network", [lab.network])).output)[0])


def read_hosts(inspected: Sequence[dict[str, Any]], name: str) -> tuple[LabHost, ...]:
    """`docker container inspect`'s objects as hosts. Pure."""
    return tuple(sorted((_host(one, name) for one in inspected), key=lambda host: host.number))


def read_net(inspected: dict[str, Any]) -> Net:
    """`docker network inspect`'s object. Pure. Raises `ToolkitError` (S100) if it has no IPv4 subnet."""
    for config in inspected["IPAM"]["Config"] or []:
        subnet = ip_network(config["Subnet"])
        if subnet.version == 4:
            # An engine that picked the subnet itself took its first address for the bridge.
            return Net(str(subnet), config.get("Gateway") or str(subnet[1]))
    raise ToolkitError(Code.RESOURCES, f"network {inspected['Name']} has no IPv4 subnet")


def _host(one: dict[str, Any], name: str) -> LabHost:
    number = int(one["Config"]["Labels"][lab_argv.NUMBER_LABEL])
    networks = one["NetworkSettings"]["Networks"]
    return LabHost(
        number=number,
        name=f"{name}-{number}",
        container=one["Name"].removeprefix("/"),
        running=one["State"]["Running"],
        image=one["Config"]["Image"],
        address=next((network["IPAddress"] for network in networks.values()), ""),
    )


def _inspected(noun: str, names: Sequence[str]) -> list[dict[str, Any]]:
    if not names:
        return []
    # What was removed since it was listed is missing from the answer, which then has a status of its own.
    result = LOCAL.run(lab_argv.inspect(noun, names), check=False)
    objects: list[dict[str, Any]] = json.loads(result.output or "[]")
    return objects

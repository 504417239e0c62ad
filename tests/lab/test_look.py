"""What the engine says of a lab, read."""

from __future__ import annotations

from typing import Any

import pytest

from toolkit.errors import ToolkitError
from toolkit.lab.inspect import read_hosts, read_net
from toolkit.lab.model import LabHost, Net


def inspected(number: int, *, running: bool = True, address: str = "172.20.0.2") -> dict[str, Any]:
    """As Engine 20.10 says it, without what is not read."""
    labels = {"toolkit.lab": "lab", "toolkit.lab.folder": "/home/me/labs/lab", "toolkit.lab.host": str(number)}
    return {
        "Name": f"/toolkit-lab-lab-{number}",
        "State": {"Running": running},
        "Config": {"Image": "lab-host:abc", "Labels": labels},
        "NetworkSettings": {"Networks": {"toolkit-lab-lab": {"IPAddress": address}}},
    }


def test_hosts_are_reported_in_the_order_of_their_numbers() -> None:
    found = read_hosts([inspected(number) for number in (10, 2, 1)], "lab")
    assert [host.name for host in found] == ["lab-1", "lab-2", "lab-10"]


def test_a_host_is_what_the_engine_says_of_it() -> None:
    assert read_hosts([inspected(1), inspected(2, running=False, address="")], "lab") == (
        LabHost(1, "lab-1", "toolkit-lab-lab-1", True, "lab-host:abc", "172.20.0.2"),
        LabHost(2, "lab-2", "toolkit-lab-lab-2", False, "lab-host:abc", ""),
    )


@pytest.mark.parametrize(
    ("config", "net"),
    [
        ([{"Subnet": "172.20.0.0/16", "Gateway": "172.20.0.1"}], Net("172.20.0.0/16", "172.20.0.1")),
        ([{"Subnet": "172.20.0.0/16"}], Net("172.20.0.0/16", "172.20.0.1")),
        (
            [{"Subnet": "fd00::/64"}, {"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.1"}],
            Net("10.9.0.0/24", "10.9.0.1"),
        ),
    ],
)
def test_the_operator_is_the_bridges_own_address(config: list[dict[str, str]], net: Net) -> None:
    assert read_net({"Name": "n", "IPAM": {"Config": config}}) == net


@pytest.mark.parametrize("config", [None, [], [{"Subnet": "fd00::/64"}]])
def test_a_network_without_ipv4_is_an_error(config: list[dict[str, str]] | None) -> None:
    with pytest.raises(ToolkitError, match="network n has no IPv4 subnet"):
        read_net({"Name": "n", "IPAM": {"Config": config}})

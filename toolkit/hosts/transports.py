"""The transports that there are, by the name that a cluster file gives them (`ssh: NAME`)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from toolkit.cluster.model import Cluster
from toolkit.hosts.openssh.arguments import Times
from toolkit.hosts.openssh.masters import Masters
from toolkit.hosts.ssh.choice import FABRIC, OPENSSH
from toolkit.hosts.ssh.connector import Connector
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.known_hosts import HostKey
from toolkit.hosts.ssh.shell import SshShell
from toolkit.hosts.transport import Transport

_TELLING_SECONDS = 2
"""From finding that a host is lost to the operator's screen: so much earlier it must be found."""


class FabricTransport:
    """Connections that Fabric opens, in this process; they end with it. See `Transport`.

    Large amounts of data take connections of the system's `ssh`, which encrypt outside Python; they end here, too.
    """

    def __init__(self, cluster: Cluster) -> None:
        times = cluster.deadlines
        self._connector = Connector(
            connections=cluster.access.connections, connect=times.connect, lost=_noticed_within(cluster)
        )
        self._bulk = masters(cluster, owner=secrets.token_hex(8))

    def shell(self, to: Destination) -> SshShell:
        return SshShell(to, self._connector, self._bulk if to.system else None)

    def close(self) -> None:
        """Close the connections to jump hosts, and so all connections through them."""
        self._connector.close()
        self._bulk.close()


class OpensshTransport:
    """Connections that the system's ssh holds open in the background, after this process, too. See `Transport`."""

    def __init__(self, cluster: Cluster) -> None:
        self._masters = masters(cluster)

    def shell(self, to: Destination) -> SshShell:
        return SshShell(to, self._masters)

    def close(self) -> None:
        """Nothing is shared but masters, which end by themselves."""


def masters(cluster: Cluster, persist: int = Times.persist, owner: str = "") -> Masters:
    """What opens the masters of a cluster's hosts, with its limits; see `Times` and `Masters`."""
    times = Times(cluster.deadlines.connect, _noticed_within(cluster), persist)
    return Masters(connections=cluster.access.connections, times=times, owner=owner)


class HostKeys:
    """Fetches the keys of a cluster's hosts, each by what leads to it, without a login there."""

    def __init__(self, cluster: Cluster) -> None:
        times = cluster.deadlines
        self._connector = Connector(connections=cluster.access.connections, connect=times.connect, lost=times.lost)
        self._masters = masters(cluster)

    def host_key(self, to: Destination) -> HostKey:
        """The key that `to` shows; raises `ToolkitError` (S100)."""
        return self._masters.host_key(to) if to.transport == OPENSSH else self._connector.host_key(to)

    def close(self) -> None:
        """Close the connections to jump hosts."""
        self._connector.close()


TRANSPORTS: Mapping[str, Callable[[Cluster], Transport]] = {FABRIC: FabricTransport, OPENSSH: OpensshTransport}


def _noticed_within(cluster: Cluster) -> int:
    return max(1, cluster.deadlines.lost - _TELLING_SECONDS)

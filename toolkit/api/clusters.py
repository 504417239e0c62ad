"""Clusters: their hosts, host keys and logins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.cluster.model import Cluster, Host
from toolkit.cluster.reader import read_cluster
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.openssh.connect import IDLE_SECONDS, connect, disconnect
from toolkit.hosts.ssh.choice import OPENSSH
from toolkit.hosts.ssh.config import destinations
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.known_hosts import Standing
from toolkit.hosts.ssh.trust import Finding, look, record, refuse_changed, stages
from toolkit.hosts.transports import HostKeys, masters

Confirm = Callable[[Sequence[Finding]], None]
"""Gets new keys before they are recorded; raises `ToolkitError` to reject them."""


@dataclass(frozen=True)
class HostWay:
    """A host of a cluster, and how to reach it: address, port, user, jump host, known_hosts files."""

    host: Host
    way: Destination


@dataclass(frozen=True)
class ClusterHosts:
    """A cluster and how to reach its hosts, from the cluster file and ssh_config."""

    cluster: Cluster
    hosts: tuple[HostWay, ...]


@dataclass(frozen=True)
class Trusted:
    """Newly recorded keys, keys recorded before, and hosts that presented none."""

    recorded: tuple[Finding, ...]
    known: tuple[Finding, ...]
    failed: tuple[ToolkitError, ...]


@dataclass(frozen=True)
class Login:
    """An open login, created now (`new`) or before; or the `error` that prevented it."""

    host: str
    new: bool
    error: Exception | None = None


def read_hosts(cluster: str | Path) -> ClusterHosts:
    """List the hosts of a cluster file, without connecting.

    Raises:
        ToolkitError: C104 if the file, or a host's entry in ssh_config, is invalid.

    Example:
        >>> [one.way.address for one in api.read_hosts("clusters/lab-p100.yml").hosts]
    """
    read = read_cluster(Path(cluster))
    ways = destinations(read.hosts, read.access)
    return ClusterHosts(read, tuple(HostWay(host, way) for host, way in zip(read.hosts, ways, strict=True)))


def trust_hosts(cluster: str | Path, confirm: Confirm) -> Trusted:
    """Record the key of each host that has none recorded, jump hosts first; `confirm` sees new keys first.

    Raises:
        ToolkitError: S100 if a host presents another key than the one on record, C104 if `confirm` refuses.

    Example:
        >>> api.trust_hosts("cluster.yml", confirm=lambda new: print([one.key.fingerprint for one in new]))
    """
    read = read_cluster(Path(cluster))
    if not read.hosts:
        raise ToolkitError(Code.RESOURCES_ASKED, f"cluster {read.name} has no ssh hosts, so no host keys")
    keys = HostKeys(read)
    recorded: list[Finding] = []
    known: list[Finding] = []
    failed: list[ToolkitError] = []
    try:
        for stage in stages(destinations(read.hosts, read.access)):
            answers = look(stage, keys.host_key)
            found = [answer.value for answer in answers if answer.value]
            failed += [answer.error for answer in answers if isinstance(answer.error, ToolkitError)]
            refuse_changed(found)
            known += [one for one in found if one.standing is Standing.KNOWN]
            new = [one for one in found if one.standing is Standing.UNKNOWN]
            if new:
                confirm(new)
                record(new)
                recorded += new
    finally:
        keys.close()
    return Trusted(tuple(recorded), tuple(known), tuple(failed))


def connect_hosts(cluster: str | Path, before_asking: Callable[[Destination], None] | None = None) -> tuple[Login, ...]:
    """Log in once for all commands to each host reached by the system's ssh, and to its jump hosts.

    `before_asking` is called before ssh prompts on this process's terminal (default: no prompts). Logins end
    8 hours (`IDLE_SECONDS`) after their last use, or by `disconnect_hosts`.

    Raises:
        ToolkitError: C104 if no host of the cluster is reached by the system's ssh. Errors of one host are the `error`
            of its login.

    Example:
        >>> [one.host for one in api.connect_hosts("cluster.yml") if one.error]
    """
    read = read_cluster(Path(cluster))
    answers = connect(_by_system_ssh(read), masters(read, IDLE_SECONDS), before_asking)
    return tuple(Login(answer.host, bool(answer.value), answer.error) for answer in answers)


def disconnect_hosts(cluster: str | Path) -> tuple[str, ...]:
    """Close the logins of `connect_hosts`; returns the hosts that had one.

    Example:
        >>> api.disconnect_hosts("cluster.yml")
    """
    return tuple(disconnect(_by_system_ssh(read_cluster(Path(cluster)))))


def _by_system_ssh(cluster: Cluster) -> Sequence[Destination]:
    ways = [way for way in destinations(cluster.hosts, cluster.access) if way.transport == OPENSSH]
    if not ways:
        what = f"cluster {cluster.name}: no host uses the system's ssh, so there is nothing to log in to"
        raise ToolkitError(Code.RESOURCES_ASKED, what, hint="set `ssh: openssh` in the cluster file")
    return ways

"""`toolkit cluster ACT FILE`: which hosts a cluster has, and recording their keys once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from toolkit.cli import cluster_connect
from toolkit.cli.output import print_json
from toolkit.cluster.model import Cluster, Host
from toolkit.cluster.reader import read_cluster
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.ssh.config import destinations
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.known_hosts import Standing
from toolkit.hosts.ssh.trust import Finding, file_of, look, record, refuse_changed, stages
from toolkit.hosts.transports import HostKeys


def run(arguments: argparse.Namespace) -> int:
    """One act."""
    cluster = read_cluster(Path(arguments.file))
    if arguments.act == "show":
        return _show(cluster, as_json=arguments.json)
    if arguments.act == "connect":
        return cluster_connect.run(cluster, close=arguments.close, as_json=arguments.json)
    return _trust(cluster, yes=arguments.yes, as_json=arguments.json)


def _show(cluster: Cluster, *, as_json: bool) -> int:
    ways = destinations(cluster.hosts, cluster.access)
    if as_json:
        print_json(_facts(cluster, ways))
        return 0
    hosts = _count(len(cluster.hosts), "host")
    print(f"{cluster.name}: engine {cluster.engine}, {hosts}, GPU {cluster.gpu}, binding {cluster.binding}")
    jumps = [f"through {to.through.socket_name}" if to.through else "" for to in ways]
    places = [f"{to.user}@{to.socket_name}" for to in ways]
    transports = [f"by ssh ({to.system.why})" if to.system else "" for to in ways]
    names = [host.name for host in cluster.hosts]
    _print_columns(list(zip(names, places, jumps, transports, map(_gpu, cluster.hosts), strict=True)))
    return 0


def _facts(cluster: Cluster, ways: Sequence[Destination]) -> dict[str, object]:
    hosts = [
        {
            "name": host.name,
            "address": to.address,
            "port": to.port,
            "user": to.user,
            "jump": to.through.socket_name if to.through else None,
            "ssh": to.transport,
            "known_hosts": [str(file) for file in to.known_hosts],
            "gpu": {"kind": host.gpu.kind, "count": host.gpu.count} if host.gpu else None,
        }
        for host, to in zip(cluster.hosts, ways, strict=True)
    ]
    return {
        "name": cluster.name,
        "engine": cluster.engine,
        "network": cluster.network or None,
        "operator": cluster.operator or None,
        "container_engine": cluster.container_engine,
        "scratch": cluster.scratch or None,
        "registry": cluster.registry or None,
        "binding": cluster.binding,
        "processes": cluster.processes,
        "hosts": hosts,
    }


def _gpu(host: Host) -> str:
    return f"{host.gpu.count} × {host.gpu.kind}" if host.gpu else "no GPU"


def _trust(cluster: Cluster, *, yes: bool, as_json: bool) -> int:
    """Stage by stage, as a jump host's key must be on record before anything behind it can be reached."""
    if not cluster.hosts:
        raise ToolkitError(Code.RESOURCES_ASKED, f"cluster {cluster.name} has no hosts over ssh: there is no key")
    dialler = HostKeys(cluster)
    recorded: list[Finding] = []
    known: list[Finding] = []
    failed: list[ToolkitError] = []
    try:
        for stage in stages(destinations(cluster.hosts, cluster.access)):
            answers = look(stage, dialler)
            found = [answer.value for answer in answers if answer.value]
            failed += [answer.error for answer in answers if isinstance(answer.error, ToolkitError)]
            refuse_changed(found)
            known += [one for one in found if one.standing is Standing.KNOWN]
            new = [one for one in found if one.standing is Standing.UNKNOWN]
            if new:
                _print_columns([_row(one) for one in new], to_errors=as_json)
                _confirm(len(new), sorted({str(file_of(one.to)) for one in new}), yes=yes)
                record(new)
                recorded += new
    finally:
        dialler.close()
    _tell(recorded, known, failed, as_json=as_json)
    return Code.RESOURCES.exit_status if failed else 0


def _row(found: Finding) -> tuple[str, ...]:
    return found.to.host, found.to.socket_name, found.key.kind, found.key.fingerprint


def _confirm(count: int, files: Sequence[str], *, yes: bool) -> None:
    """Go on only where a person says so; raises `ToolkitError` (C104) otherwise."""
    keys, where = _count(count, "key"), " and ".join(files)
    if yes:
        return
    hint = (
        "compare them with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on each host; --yes takes them as shown"
    )
    if not sys.stdin.isatty():
        raise ToolkitError(Code.RESOURCES_ASKED, f"{keys} not recorded: there is no terminal to ask on", hint=hint)
    print(f"Are these the hosts' own? Record {keys} in {where}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ToolkitError(Code.RESOURCES_ASKED, f"{keys} not recorded", hint=hint)


def _tell(
    recorded: Sequence[Finding], known: Sequence[Finding], failed: Sequence[ToolkitError], *, as_json: bool
) -> None:
    if as_json:
        names = ("host", "address", "type", "fingerprint")
        print_json(
            {
                "recorded": [dict(zip(names, _row(one), strict=True)) for one in recorded],
                "known": [dict(zip(names, _row(one), strict=True)) for one in known],
                "failed": [error.as_json() for error in failed],
            }
        )
    else:
        print(f"{_count(len(recorded), 'key')} recorded, {len(known)} known before, {len(failed)} failed")
    for error in failed:
        print(f"toolkit: error {error}", file=sys.stderr)


def _print_columns(rows: Sequence[Sequence[str]], *, to_errors: bool = False) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True) if width)
        print(f"  {line}".rstrip(), file=sys.stderr if to_errors else sys.stdout, flush=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

"""`toolkit cluster ACT FILE`: list a cluster's hosts, record their keys once, log in once where ssh prompts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from toolkit.api.clusters import ClusterHosts, connect_hosts, disconnect_hosts, read_hosts, trust_hosts
from toolkit.cli.columns import aligned
from toolkit.cli.output import print_json
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.openssh.connect import IDLE_SECONDS
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.trust import Finding, file_of
from toolkit.plural import counted


def run(arguments: argparse.Namespace) -> int:
    """Run one of the subcommands."""
    if arguments.act == "show":
        return _show(read_hosts(arguments.file), as_json=arguments.json)
    if arguments.act == "trust":
        return _trust(arguments)
    return _disconnect(arguments) if arguments.close else _connect(arguments)


def _show(found: ClusterHosts, *, as_json: bool) -> int:
    if as_json:
        print_json(_facts(found))
        return 0
    cluster, ways = found.cluster, [one.way for one in found.hosts]
    hosts = counted(len(found.hosts), "host")
    print(f"{cluster.name}: engine {cluster.engine}, {hosts}, GPU {cluster.gpu}, binding {cluster.binding}")
    jumps = [f"through {to.through.socket_name}" if to.through else "" for to in ways]
    places = [f"{to.user}@{to.socket_name}" for to in ways]
    transports = [f"by ssh ({to.system.why})" if to.system and to.system.why else "" for to in ways]
    names = [one.host.name for one in found.hosts]
    gpus = [f"{host.gpu.count} × {host.gpu.kind}" if host.gpu else "no GPU" for host in cluster.hosts]
    _print_columns(list(zip(names, places, jumps, transports, gpus, strict=True)))
    return 0


def _facts(found: ClusterHosts) -> dict[str, object]:
    cluster = found.cluster
    hosts = [
        {
            "name": one.host.name,
            "address": one.way.address,
            "port": one.way.port,
            "user": one.way.user,
            "jump": one.way.through.socket_name if one.way.through else None,
            "ssh": one.way.transport,
            "known_hosts": [str(file) for file in one.way.known_hosts],
            "gpu": {"kind": one.host.gpu.kind, "count": one.host.gpu.count} if one.host.gpu else None,
        }
        for one in found.hosts
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


def _trust(arguments: argparse.Namespace) -> int:
    def confirm(new: Sequence[Finding]) -> None:
        _print_columns([_row(one) for one in new], to_errors=arguments.json)
        _confirm(len(new), sorted({str(file_of(one.to)) for one in new}), yes=arguments.yes)

    trusted = trust_hosts(arguments.file, confirm)
    recorded, known, failed = trusted.recorded, trusted.known, trusted.failed
    if arguments.json:
        print_json(
            {
                "recorded": [_row_facts(one) for one in recorded],
                "known": [_row_facts(one) for one in known],
                "failed": [error.as_json() for error in failed],
            }
        )
    else:
        print(f"{counted(len(recorded), 'key')} recorded, {len(known)} known before, {len(failed)} failed")
    return _report_failed(failed)


def _row(found: Finding) -> tuple[str, ...]:
    return found.to.host, found.to.socket_name, found.key.kind, found.key.fingerprint


def _row_facts(found: Finding) -> dict[str, str]:
    return dict(zip(("host", "address", "type", "fingerprint"), _row(found), strict=True))


def _confirm(count: int, files: Sequence[str], *, yes: bool) -> None:
    """Continue only if the user confirms; raises `ToolkitError` (C104) otherwise."""
    keys, where = counted(count, "key"), " and ".join(files)
    if yes:
        return
    compare = "compare them with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on each host"
    hint = f"{compare}; --yes accepts them as shown"
    if not sys.stdin.isatty():
        raise ToolkitError(Code.RESOURCES_ASKED, f"{keys} not recorded: no terminal to confirm on", hint=hint)
    print(f"Are these the hosts' keys? Record {keys} in {where}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ToolkitError(Code.RESOURCES_ASKED, f"{keys} not recorded", hint=hint)


def _connect(arguments: argparse.Namespace) -> int:
    logins = connect_hosts(arguments.file, _before_asking if sys.stdin.isatty() else None)
    opened, failed = [one for one in logins if not one.error], [one.error for one in logins if one.error]
    if arguments.json:
        print_json(
            {
                "open": [{"host": login.host, "new": login.new} for login in opened],
                "failed": [error.as_json() for error in failed if isinstance(error, ToolkitError)],
            }
        )
    else:
        for login in opened:
            print(f"  {login.host}: {'logged in' if login.new else 'already logged in'}")
        print(f"{counted(len(opened), 'login')} open, {len(failed)} failed")
        if opened:
            print(f"Logins end {IDLE_SECONDS // 3600} hours after their last use, or with `--close`.")
    return _report_failed(failed)


def _before_asking(to: Destination) -> None:
    print(f"{to.host} ({to.user}@{to.socket_name}): log in", file=sys.stderr, flush=True)


def _disconnect(arguments: argparse.Namespace) -> int:
    closed = disconnect_hosts(arguments.file)
    if arguments.json:
        print_json({"closed": list(closed)})
    else:
        print(f"{counted(len(closed), 'login')} closed" + (f": {', '.join(closed)}" if closed else ""))
    return 0


def _report_failed(failed: Sequence[Exception]) -> int:
    for error in failed:
        print(f"toolkit: error {error}", file=sys.stderr)
    return Code.RESOURCES.exit_status if failed else 0


def _print_columns(rows: Sequence[Sequence[str]], *, to_errors: bool = False) -> None:
    for line in aligned(rows):
        print(f"  {line}", file=sys.stderr if to_errors else sys.stdout, flush=True)

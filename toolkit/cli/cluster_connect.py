"""`toolkit cluster connect FILE`: log in once where hosts ask a person; all commands then use that login."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from toolkit.cli.output import print_json
from toolkit.cluster.model import Cluster
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.openssh.connect import IDLE_SECONDS, by_system_ssh, connect, disconnect
from toolkit.hosts.parallel import Answer
from toolkit.hosts.ssh.config import destinations
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.transports import masters
from toolkit.plural import counted


def run(cluster: Cluster, *, close: bool, as_json: bool) -> int:
    """Log in, or end the logins."""
    ways = by_system_ssh(destinations(cluster.hosts, cluster.access))
    if not ways:
        what = f"cluster {cluster.name}: no host of it is reached by the system's ssh, so there is no login to keep"
        raise ToolkitError(Code.RESOURCES_ASKED, what, hint="`ssh: openssh` in the cluster file makes it so")
    return _close(ways, as_json=as_json) if close else _connect(cluster, ways, as_json=as_json)


def _connect(cluster: Cluster, ways: Sequence[Destination], *, as_json: bool) -> int:
    before_asking = _before_asking if sys.stdin.isatty() else None
    answers = connect(ways, masters(cluster, IDLE_SECONDS), before_asking)
    failed = [answer for answer in answers if answer.error]
    if as_json:
        _print_facts(answers)
    else:
        for answer in answers:
            if not answer.error:
                print(f"  {answer.host}: {'logged in' if answer.value else 'logged in before'}")
        print(f"{counted(len(answers) - len(failed), 'login')} open, {len(failed)} failed")
        if len(failed) < len(answers):
            print(f"They end {IDLE_SECONDS // 3600} hours after their last use, or with `--close`.")
    for answer in failed:
        print(f"toolkit: error {answer.error}", file=sys.stderr)
    return Code.RESOURCES.exit_status if failed else 0


def _print_facts(answers: Sequence[Answer[bool]]) -> None:
    print_json(
        {
            "open": [{"host": answer.host, "new": answer.value} for answer in answers if not answer.error],
            "failed": [answer.error.as_json() for answer in answers if isinstance(answer.error, ToolkitError)],
        }
    )


def _close(ways: Sequence[Destination], *, as_json: bool) -> int:
    closed = disconnect(ways)
    if as_json:
        print_json({"closed": list(closed)})
    else:
        print(f"{counted(len(closed), 'login')} closed" + (f": {', '.join(closed)}" if closed else ""))
    return 0


def _before_asking(to: Destination) -> None:
    print(f"{to.host} ({to.user}@{to.socket_name}): log in", file=sys.stderr, flush=True)

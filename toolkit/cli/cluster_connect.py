"""`toolkit cluster connect FILE`: log in once where ssh prompts; all commands then use that login."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from toolkit.api.clusters import Login, connect_hosts, disconnect_hosts
from toolkit.cli.output import print_json
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.openssh.connect import IDLE_SECONDS
from toolkit.hosts.ssh.destination import Destination
from toolkit.plural import counted


def run(arguments: argparse.Namespace) -> int:
    """Open or close logins."""
    return _close(arguments) if arguments.close else _connect(arguments)


def _connect(arguments: argparse.Namespace) -> int:
    logins = connect_hosts(arguments.file, _before_asking if sys.stdin.isatty() else None)
    failed = [login for login in logins if login.error]
    if arguments.json:
        _print_facts(logins)
    else:
        for login in logins:
            if not login.error:
                print(f"  {login.host}: {'logged in' if login.new else 'already logged in'}")
        print(f"{counted(len(logins) - len(failed), 'login')} open, {len(failed)} failed")
        if len(failed) < len(logins):
            print(f"Logins end {IDLE_SECONDS // 3600} hours after their last use, or with `--close`.")
    for login in failed:
        print(f"toolkit: error {login.error}", file=sys.stderr)
    return Code.RESOURCES.exit_status if failed else 0


def _print_facts(logins: Sequence[Login]) -> None:
    print_json(
        {
            "open": [{"host": login.host, "new": login.new} for login in logins if not login.error],
            "failed": [login.error.as_json() for login in logins if isinstance(login.error, ToolkitError)],
        }
    )


def _close(arguments: argparse.Namespace) -> int:
    closed = disconnect_hosts(arguments.file)
    if arguments.json:
        print_json({"closed": list(closed)})
    else:
        print(f"{counted(len(closed), 'login')} closed" + (f": {', '.join(closed)}" if closed else ""))
    return 0


def _before_asking(to: Destination) -> None:
    print(f"{to.host} ({to.user}@{to.socket_name}): log in", file=sys.stderr, flush=True)

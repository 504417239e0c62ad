"""`toolkit lab up`, `toolkit lab down`, `toolkit lab show`: test hosts, for trying out clusters."""

from __future__ import annotations

import argparse
import shlex
import time

from toolkit.api.labs import create_lab, list_labs, remove_lab
from toolkit.cli.columns import columns
from toolkit.cli.output import print_json, progress_bar, say
from toolkit.lab.create import LabUp


def run(arguments: argparse.Namespace) -> int:
    """Up, down or show."""
    if arguments.act == "show":
        return _show(as_json=arguments.json)
    if arguments.act == "down":
        return _down(arguments.name, as_json=arguments.json)
    return _up(arguments.name, arguments.hosts, as_json=arguments.json)


def _up(name: str, hosts: int | None, *, as_json: bool) -> int:
    start = time.monotonic()
    with progress_bar() as report:
        up = create_lab(name, hosts, report=report)
    seconds, lab = time.monotonic() - start, up.lab
    if as_json:
        print_json(_facts(up, seconds))
        return 0
    for one in up.hosts:
        say(f"{one.host.name}  {one.host.address}  Docker Engine {one.engine}")
    changed = bool(up.change.make or up.change.remove)
    say(f"up in {seconds:.1f} s" if changed else "already up")
    say(f"cluster file: {up.cluster_file}\nkey:          {lab.identity}")
    first = up.hosts[0].host.address
    ssh = ["ssh", "-i", str(lab.identity), "-o", f"UserKnownHostsFile={lab.known_hosts}", f"root@{first}"]
    say(f"log in:       {shlex.join(ssh)}")
    return 0


def _down(name: str, *, as_json: bool) -> int:
    with progress_bar() as report:
        gone = remove_lab(name, report=report)
    if as_json:
        print_json({"name": name, "removed": gone})
        return 0
    for what in gone:
        say(f"removed {what}")
    if not gone:
        say(f"no lab `{name}`")
    return 0


def _show(*, as_json: bool) -> int:
    labs = list_labs()
    if as_json:
        facts = {
            name: [{"name": h.name, "address": h.address, "running": h.running, "image": h.image} for h in hosts]
            for name, hosts in labs.items()
        }
        print_json({"labs": facts})
        return 0
    rows: list[tuple[str, ...]] = []
    for name, hosts in labs.items():
        if not hosts:
            rows.append((name, "–", "–", f"partly removed: toolkit lab down --name {name}"))
        rows += [(name, host.name, host.address or "–", "up" if host.running else "ended") for host in hosts]
    if labs:
        print("\n".join(columns(("LAB", "HOST", "ADDRESS", "STATE"), rows)))
    else:
        say("no lab is up; toolkit lab up --hosts 2")
    return 0


def _facts(up: LabUp, seconds: float) -> dict[str, object]:
    """The facts for `--json`; host numbers count from 1."""
    return {
        "name": up.lab.name,
        "cluster_file": str(up.cluster_file),
        "identity": str(up.lab.identity),
        "known_hosts": str(up.lab.known_hosts),
        "network": up.net.cidr,
        "operator": up.net.operator,
        "hosts": [{"name": one.host.name, "address": one.host.address, "engine": one.engine} for one in up.hosts],
        "made": [up.lab.host(number) for number in up.change.make],
        "removed": [up.lab.host(number) for number in up.change.remove if number not in up.change.make],
        "seconds": round(seconds, 1),
    }

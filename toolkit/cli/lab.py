"""`toolkit lab up`, `toolkit lab down`, `toolkit lab show`: hosts to try a cluster on, without one."""

from __future__ import annotations

import argparse
import shlex
import time

from rich.table import Table

from toolkit.cli.output import console, print_json, progress_bar
from toolkit.lab.create import BringUp, LabUp, alone, take_down
from toolkit.lab.inspect import hosts_of, lab_names
from toolkit.lab.model import Lab, lab_named, wanted_hosts
from toolkit.paths import home


def run(arguments: argparse.Namespace) -> int:
    """Up, down or show."""
    if arguments.act == "show":
        return _show(as_json=arguments.json)
    lab = lab_named(arguments.name, home())
    if arguments.act == "down":
        return _down(lab, as_json=arguments.json)
    return _up(lab, arguments.hosts, as_json=arguments.json)


def _up(lab: Lab, hosts: int | None, *, as_json: bool) -> int:
    from toolkit.cli.build import build  # the whole workshop, which the other acts do without
    from toolkit.image.tool_images import lab_recipe
    from toolkit.validation.model import TOOL_IMAGE

    wanted_hosts(hosts, 0)  # nothing is built for a number that is refused
    with progress_bar() as report:
        image = build(lab_recipe(), TOOL_IMAGE, "classic", report)
        start = time.monotonic()
        up = BringUp(lab, hosts, image.reference, report).run()
        seconds = time.monotonic() - start
    if as_json:
        print_json(_facts(up, seconds))
        return 0
    for one in up.hosts:
        console.print(f"{one.host.name}  {one.host.address}  Docker Engine {one.engine}", soft_wrap=True)
    changed = bool(up.change.make or up.change.remove)
    console.print(f"up in {seconds:.1f} s" if changed else "up already", soft_wrap=True)
    console.print(f"cluster file: {up.cluster_file}\nits key:      {lab.identity}", soft_wrap=True)
    first = up.hosts[0].host.address
    ssh = ["ssh", "-i", str(lab.identity), "-o", f"UserKnownHostsFile={lab.known_hosts}", f"root@{first}"]
    console.print(f"log in:       {shlex.join(ssh)}", soft_wrap=True)
    return 0


def _down(lab: Lab, *, as_json: bool) -> int:
    with progress_bar() as report, alone(lab, report):
        gone = take_down(lab)
    if as_json:
        print_json({"name": lab.name, "removed": gone})
        return 0
    for what in gone:
        console.print(f"removed {what}", soft_wrap=True)
    if not gone:
        console.print(f"there is no lab `{lab.name}`", soft_wrap=True)
    return 0


def _show(*, as_json: bool) -> int:
    labs = {name: hosts_of(name) for name in lab_names()}
    if as_json:
        facts = {
            name: [{"name": h.name, "address": h.address, "running": h.running, "image": h.image} for h in hosts]
            for name, hosts in labs.items()
        }
        print_json({"labs": facts})
        return 0
    table = Table("lab", "host", "address", "", box=None, pad_edge=False)
    for name, hosts in labs.items():
        if not hosts:
            table.add_row(name, "–", "–", f"half removed: toolkit lab down --name {name}")
        for host in hosts:
            table.add_row(name, host.name, host.address or "–", "up" if host.running else "ended")
    console.print(table if labs else "no lab is up; toolkit lab up --hosts 2", soft_wrap=True)
    return 0


def _facts(up: LabUp, seconds: float) -> dict[str, object]:
    """As `--json` tells it; host numbers count from 1."""
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

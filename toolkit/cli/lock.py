"""`toolkit lock [NAME…]`, `toolkit lock MANIFEST`: the contents of images, by name, version and hash."""

from __future__ import annotations

import argparse

from rich.table import Table

from toolkit.api.locks import lock_images, lock_states
from toolkit.cli.output import console, print_json, progress_bar
from toolkit.errors import Code
from toolkit.lock.changes import changes
from toolkit.lock.renew import Renewed


def run(arguments: argparse.Namespace) -> int:
    """Renew stale locks, or with `--check` only list them."""
    if any(name.endswith((".yml", ".yaml")) for name in arguments.name):
        from toolkit.cli import lock_manifest

        return lock_manifest.run(arguments)
    if arguments.check:
        return _check(arguments)
    with progress_bar() as report:
        locked = lock_images(arguments.name, update=arguments.update, report=report)
    count, renewed = locked.count, locked.renewed
    if arguments.json:
        print_json({"renewed": [_facts(one) for one in renewed], "fresh": count - len(renewed)})
    for one in renewed:
        _show(one)
    console.print(f"{count} locks: {len(renewed)} written, {count - len(renewed)} unchanged")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    states = lock_states(arguments.name)
    stale = {state.entry.name: state.why for state in states if state.why}
    fresh = len(states) - len(stale)
    if arguments.json:
        print_json({"stale": stale, "fresh": fresh})
    for name, why in stale.items():
        console.print(f"{name}: {why}", soft_wrap=True)
    console.print(f"{fresh} of {len(states)} locks are up to date")
    return Code.MANIFEST.exit_status if stale else 0


def _show(one: Renewed) -> None:
    """A new lock in one line; changes to an old one as a table."""
    console.print(
        f"{one.entry.name} ({one.why}): {len(one.new.debs)} Debian packages, {len(one.new.wheels)} wheels",
        soft_wrap=True,
    )
    found = changes(one.old, one.new)
    if one.old is None:
        return
    if not found:
        console.print("  nothing changed")
        return
    table = Table("", "package", "before", "now", box=None, pad_edge=False)
    for change in found:
        table.add_row(change.kind, change.name, change.old or "–", change.new or "–")
    console.print(table)


def _facts(one: Renewed) -> dict[str, object]:
    return {
        "name": one.entry.name,
        "file": str(one.entry.recipe.lock),
        "why": one.why,
        "debs": len(one.new.debs),
        "wheels": len(one.new.wheels),
        "changes": [
            {"kind": change.kind, "package": change.name, "before": change.old, "now": change.new}
            for change in changes(one.old, one.new)
        ],
    }

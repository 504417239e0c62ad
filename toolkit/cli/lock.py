"""`toolkit lock [NAME…]`, `toolkit lock MANIFEST`: the contents of images, by name, version and hash."""

from __future__ import annotations

import argparse

from toolkit.api.locks import UserLock, lock, lock_images, lock_states
from toolkit.cli.columns import columns
from toolkit.cli.console import console
from toolkit.cli.output import print_json, progress_bar, say
from toolkit.errors import Code, ToolkitError
from toolkit.lock.changes import changes
from toolkit.lock.renew import Renewed


def run(arguments: argparse.Namespace) -> int:
    """Renew stale locks, or with `--check` only list them."""
    if any(name.endswith((".yml", ".yaml")) for name in arguments.name):
        return _lock_manifest(arguments)
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
        say(f"{name}: {why}")
    console.print(f"{fresh} of {len(states)} locks are up to date")
    return Code.MANIFEST.exit_status if stale else 0


def _lock_manifest(arguments: argparse.Namespace) -> int:
    """What the user's code needs on top of the framework, locked beside the code, unless that lock is up to date."""
    if len(arguments.name) != 1:
        raise ToolkitError(Code.MANIFEST, "one manifest at a time", hint="toolkit lock MANIFEST")
    file = arguments.name[0]
    with progress_bar() as report:
        locked = lock(file, flavour=arguments.flavour, update=arguments.update, check=arguments.check, report=report)
    if arguments.json:
        print_json(user_lock_facts(locked))
    _say_user_lock(file, locked, check=arguments.check)
    return Code.MANIFEST.exit_status if arguments.check and locked.stale else 0


def user_lock_facts(locked: UserLock) -> dict[str, object]:
    """The same object whatever there was to do: `lock` is null if nothing needs one; wheels are those written now."""
    wheels = locked.lock.wheels if locked.lock else ()
    return {
        "image": locked.image,
        "lock": str(locked.file) if locked.file else None,
        "written": locked.written,
        "stale": locked.stale,
        "wheels": [{"name": wheel.name, "version": wheel.version} for wheel in wheels],
        "packages": list(locked.packages),
        "notes": list(locked.notes),
    }


def _say_user_lock(manifest: str, locked: UserLock, *, check: bool) -> None:
    if locked.file is None:
        say(f"{manifest} needs nothing besides {locked.image}: nothing to lock")
    elif check:
        say(f"{locked.file}: {locked.stale or 'up to date'}")
    elif locked.lock is None:
        say(f"{locked.file}: unchanged")
    else:
        for change in locked.changes:
            say(f"  {change.name}  {change.old or '–'} → {change.new or '–'}")
        say(f"{locked.file}: {len(locked.lock.wheels)} wheels, {len(locked.packages)} Debian packages")


def _show(one: Renewed) -> None:
    """A new lock in one line; changes to an old one as a table."""
    say(f"{one.entry.name} ({one.why}): {len(one.new.debs)} Debian packages, {len(one.new.wheels)} wheels")
    if one.old is None:
        return
    found = changes(one.old, one.new)
    if not found:
        console.print("  nothing changed")
        return
    rows = [(change.kind, change.name, change.old or "–", change.new or "–") for change in found]
    say("\n".join(columns(("KIND", "PACKAGE", "BEFORE", "NOW"), rows)))


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

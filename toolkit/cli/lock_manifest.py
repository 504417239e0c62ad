"""`toolkit lock MANIFEST`: what the user's code needs on top of the framework, locked beside the code."""

from __future__ import annotations

import argparse

from toolkit.api.locks import UserLock, lock
from toolkit.cli.output import console, print_json, progress_bar
from toolkit.errors import Code, ToolkitError


def run(arguments: argparse.Namespace) -> int:
    """Resolve the manifest's additions, unless their lock is up to date."""
    if len(arguments.name) != 1:
        raise ToolkitError(Code.MANIFEST, "one manifest at a time", hint="toolkit lock MANIFEST")
    file = arguments.name[0]
    with progress_bar() as report:
        locked = lock(file, flavour=arguments.flavour, update=arguments.update, check=arguments.check, report=report)
    if locked.file is None:
        console.print(f"{file} needs nothing besides {locked.image}: nothing to lock", soft_wrap=True)
    elif arguments.check:
        console.print(f"{locked.file}: {locked.stale or 'up to date'}", soft_wrap=True)
        return Code.MANIFEST.exit_status if locked.stale else 0
    elif locked.lock is None:
        console.print(f"{locked.file}: unchanged", soft_wrap=True)
    else:
        _show(locked, as_json=arguments.json)
    return 0


def _show(locked: UserLock, *, as_json: bool) -> None:
    wheels = locked.lock.wheels if locked.lock else ()
    if as_json:
        named = [{"name": wheel.name, "version": wheel.version} for wheel in wheels]
        facts = {"lock": str(locked.file), "wheels": named, "packages": list(locked.packages)}
        print_json({**facts, "notes": list(locked.notes)})
    for change in locked.changes:
        console.print(f"  {change.name}  {change.old or '–'} → {change.new or '–'}", soft_wrap=True)
    console.print(f"{locked.file}: {len(wheels)} wheels, {len(locked.packages)} Debian packages", soft_wrap=True)

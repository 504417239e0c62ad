"""`toolkit images diff A B` and `toolkit images why PACKAGE [REF]`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from toolkit.api.images import compare_images, why_installed
from toolkit.cli.images import facts
from toolkit.cli.output import human_size, print_json, progress_bar, say
from toolkit.inventory.difference import ADDED, CHANGED, REMOVED, Difference, FileGroup, PackageChange
from toolkit.inventory.model import Package
from toolkit.inventory.why import Chain

DIFFERENT = 1
"""As in `diff`: 0 the same, 1 different, more on an error."""
_MOST_LINES = 40
_MOST_CHAINS = 12
_LONGEST_VALUE = 90


def run(arguments: argparse.Namespace) -> int:
    """Run one of the two."""
    return _diff(arguments) if arguments.act == "diff" else _why(arguments)


def _diff(arguments: argparse.Namespace) -> int:
    with progress_bar() as report:
        found = compare_images(arguments.old, arguments.new, report=report)
    old, new, same = found.old, found.new, found.same
    if arguments.json:
        print_json({"old": facts(old), "new": facts(new), "same": same, **asdict(found.difference)})
    else:
        print(f"{old.reference}  {old.short_id}\n{new.reference}  {new.short_id}")
        print("\n".join(["the same image"] if same else diff_lines(found.difference)))
    return 0 if same else DIFFERENT


def diff_lines(difference: Difference) -> Iterator[str]:
    """The differences as text. Pure."""
    if difference.nothing:
        yield "same packages, files and settings: only timestamps or the order of files or layers differ"
        return
    yield from _section("packages", [_package_line(change) for change in difference.packages])
    yield from _section("files", [_files_line(group) for group in difference.files])
    yield from _section(
        "settings", [f"{one.name}: {_value(one.old)} → {_value(one.new)}" for one in difference.settings]
    )
    yield f"size: {_grown(difference.grown)}"


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"{title}:"
        yield from (f"  {line}" for line in lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"  and {len(lines) - _MOST_LINES} more: --json lists all"


def _package_line(change: PackageChange) -> str:
    versions = " → ".join(", ".join(one) for one in (change.old, change.new) if one)
    inside = f", inside {change.carried_by}" if change.carried_by else ""
    return f"{change.what:<8} {change.name} {versions} ({change.kind}{inside}; {_grown(change.grown)})"


def _files_line(group: FileGroup) -> str:
    counts = [f"{group.count(what)} {what}" for what in (ADDED, REMOVED, CHANGED) if group.count(what)]
    owner = f"of {group.name} ({group.kind})" if group.kind else f"in {group.name}"
    return f"{owner}: {', '.join(counts)} ({_grown(group.grown)})"


def _value(text: str) -> str:
    return (text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…") or "(not set)"


def _grown(size: int) -> str:
    return f"{'-' if size < 0 else '+'}{human_size(abs(size))}" if size else "no more, no less"


def _why(arguments: argparse.Namespace) -> int:
    with progress_bar() as report:
        found = why_installed(arguments.package, arguments.reference, report=report)
    if not arguments.reference:
        say(f"in {found.image.reference}:")
    if arguments.json:
        packages = [_chain_facts(package, chains) for package, chains in found.packages]
        print_json({"image": facts(found.image), "packages": packages})
        return 0
    for package, chains in found.packages:
        print("\n".join(why_lines(package, chains)))
    return 0


def why_lines(package: Package, chains: Sequence[Chain]) -> Iterator[str]:
    """The chains as text. Pure."""
    yield f"{package.title} ({package.kind}{f', in {package.place}' if package.place else ''})"
    if not chains:
        yield "  a dependency cycle that nothing else requires"
    yield from (f"  {chain}" for chain in chains[:_MOST_CHAINS])
    if len(chains) > _MOST_CHAINS:
        yield f"  and {len(chains) - _MOST_CHAINS} more: --json lists all"


def _chain_facts(package: Package, chains: Sequence[Chain]) -> dict[str, object]:
    shown = [
        {"reason": chain.reason, "links": [_link_facts(link.package, link.extra) for link in chain.links]}
        for chain in chains
    ]
    return {**_link_facts(package, ""), "chains": shown}


def _link_facts(package: Package, extra: str) -> dict[str, str]:
    return {"kind": package.kind, "name": package.name, "version": package.version, "extra": extra}

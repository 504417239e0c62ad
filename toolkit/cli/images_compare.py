"""`toolkit images diff A B` and `toolkit images why PACKAGE [REF]`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from toolkit.cli.images import contents_of, facts, offers
from toolkit.cli.output import console, human_size, print_json
from toolkit.errors import Code, Problem, ToolkitError
from toolkit.image.config import settled_settings
from toolkit.image.store import ImageStore
from toolkit.inventory.difference import ADDED, CHANGED, REMOVED, Difference, FileGroup, PackageChange, differences
from toolkit.inventory.graph import graph_of
from toolkit.inventory.images import EngineImage, engine_images, pick
from toolkit.inventory.model import Package
from toolkit.inventory.why import Chain, chains_to, packages_named

DIFFERENT = 1
"""As `diff` has it: 0 the same, 1 different, more on an error."""
_MOST_LINES = 40
_MOST_CHAINS = 12
_LONGEST_VALUE = 90


def run(arguments: argparse.Namespace) -> int:
    """One of the two."""
    return _diff(arguments) if arguments.act == "diff" else _why(arguments)


def _diff(arguments: argparse.Namespace) -> int:
    store = ImageStore()
    images = engine_images(store)
    old, new = pick(arguments.old, images), pick(arguments.new, images)
    same = old.image_id == new.image_id
    found = Difference((), (), (), 0) if same else _difference(store, old, new)
    if arguments.json:
        print_json({"old": facts(old), "new": facts(new), "same": same, **asdict(found)})
    else:
        print(f"{old.reference}  {old.short_id}\n{new.reference}  {new.short_id}")
        print("\n".join(["the same image"] if same else diff_lines(found)))
    return 0 if same else DIFFERENT


def diff_lines(difference: Difference) -> Iterator[str]:
    """What changed, in words. Pure."""
    if difference.nothing:
        yield "the same packages, files and settings: only times or the order of files or layers differ"
        return
    yield from _section("packages", [_package_line(change) for change in difference.packages])
    yield from _section("files", [_files_line(group) for group in difference.files])
    yield from _section(
        "settings", [f"{one.name}: {_value(one.old)} → {_value(one.new)}" for one in difference.settings]
    )
    yield f"size: {_grown(difference.grown)}"


def chosen(images: Sequence[EngineImage], current: set[str]) -> EngineImage:
    """The image that is meant where none is named: the only one of today's catalogue, else the only one. Pure.

    Raises `ToolkitError` (S103) with those that it could be.
    """
    trained = [image for image in images if image.ours and image.asked.python]
    candidates = [image for image in trained if image.reference in current] or trained
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise ToolkitError(Code.IMAGE, "no image with a framework is here", hint="toolkit build MANIFEST")
    problems = tuple(Problem(image.reference) for image in candidates)
    raise ToolkitError(
        Code.IMAGE, f"{len(candidates)} images are here", problems, hint="say which: toolkit images why PACKAGE REF"
    )


def _difference(store: ImageStore, old: EngineImage, new: EngineImage) -> Difference:
    settings = [settled_settings(store.get(image.image_id).config.settings) for image in (old, new)]
    contents = [contents_of(store, image) for image in (old, new)]
    return differences(contents[0], contents[1], settings[0], settings[1], new.size - old.size)


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"{title}:"
        yield from (f"  {line}" for line in lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"  and {len(lines) - _MOST_LINES} more: --json names them all"


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
    store = ImageStore()
    images = engine_images(store)
    image = pick(arguments.reference, images) if arguments.reference else _default(images)
    contents = contents_of(store, image)
    packages = packages_named(arguments.package, contents)
    graph = graph_of(contents, image.asked)
    found = [(package, chains_to(package, contents, graph)) for package in packages]
    if arguments.json:
        print_json({"image": facts(image), "packages": [_chain_facts(package, chains) for package, chains in found]})
        return 0
    for package, chains in found:
        print("\n".join(why_lines(package, chains)))
    return 0


def why_lines(package: Package, chains: Sequence[Chain]) -> Iterator[str]:
    """The chains in words. Pure."""
    yield f"{package.title} ({package.kind}{f', in {package.place}' if package.place else ''})"
    if not chains:
        yield "  packages ask for one another here in a circle, and nothing asks for any of them"
    yield from (f"  {chain}" for chain in chains[:_MOST_CHAINS])
    if len(chains) > _MOST_CHAINS:
        yield f"  and {len(chains) - _MOST_CHAINS} more: --json names them all"


def _default(images: Sequence[EngineImage]) -> EngineImage:
    image = chosen(images, {offer.reference for offer in offers()})
    console.print(f"in {image.reference}:", soft_wrap=True)
    return image


def _chain_facts(package: Package, chains: Sequence[Chain]) -> dict[str, object]:
    shown = [
        {"reason": chain.reason, "links": [_link_facts(link.package, link.extra) for link in chain.links]}
        for chain in chains
    ]
    return {**_link_facts(package, ""), "chains": shown}


def _link_facts(package: Package, extra: str) -> dict[str, str]:
    return {"kind": package.kind, "name": package.name, "version": package.version, "extra": extra}

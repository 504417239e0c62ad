"""`toolkit bundle MANIFEST… -o FILE`, and `toolkit bundle load FILE`."""

from __future__ import annotations

import argparse

from toolkit.api.bundles import load_bundle, make_bundle
from toolkit.cli import load
from toolkit.cli.console import console
from toolkit.cli.output import human_size, print_json, progress_bar, say


def run(arguments: argparse.Namespace) -> int:
    """Make or load a bundle."""
    return _load(arguments) if arguments.act == "load" else _make(arguments)


def _make(arguments: argparse.Namespace) -> int:
    with progress_bar() as report:
        made = make_bundle(
            arguments.manifest,
            arguments.output,
            flavour=arguments.flavour,
            pythons=arguments.python or (),
            report=report,
        )
    saved = made.saved
    if arguments.json:
        images = [{"reference": image.reference, "id": image.image_id} for image in saved.images]
        facts = {"pool_files": made.packages, "tool_files": made.wheels}
        print_json({"file": str(saved.file), "bytes": saved.size, "images": images, **facts})
    for image in saved.images:
        say(f"{image.reference}\n  {image.image_id}")
    pythons = ", ".join(made.pythons)
    console.print(f"{made.packages} locked packages, {made.wheels} wheels of the tool (Python {pythons})")
    say(f"{saved.file}  {human_size(saved.size)}; see its README.txt")
    return 0


def _load(arguments: argparse.Namespace) -> int:
    with progress_bar() as report:
        loaded = load_bundle(arguments.file, images=not arguments.no_images, report=report)
    if arguments.json:
        print_json({"pool": str(loaded.pool), "pool_files": loaded.taken, "images": load.facts(loaded.images)})
    there = loaded.packages - loaded.taken
    say(f"{loaded.pool}: {loaded.taken} packages added, {there} already there")
    load.show(loaded.images)
    return 0

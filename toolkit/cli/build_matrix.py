"""`toolkit build --all`: the catalogue, or a list of it, with a bar for each image and a table at the end."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from toolkit.catalogue.model import Recipe
from toolkit.cli.build import build, named_row
from toolkit.cli.catalogue import catalogue
from toolkit.cli.output import console, human_size, print_json, progress_bar
from toolkit.image.matrix import Matrix, OnLine, Outcome, this_machines_workers
from toolkit.image.tool_images import buckets_recipe
from toolkit.validation.model import TOOL_IMAGE


def run(arguments: argparse.Namespace) -> int:
    """Build them all; the status of the first that failed."""
    names = list(dict.fromkeys(arguments.image)) or [recipe.name for recipe in _buildable()]
    for name in names:
        named_row(name)  # a mistyped name is an error before anything begins
    with progress_bar() as report:
        build(buckets_recipe(), TOOL_IMAGE, arguments.builder, report)  # every one of them would wait for it
    own = [sys.executable, "-m", "toolkit", "build", "--json", "--builder", arguments.builder]
    commands: dict[str, Sequence[str]] = {name: [*own, "--image", name] for name in names}
    with _bars(names) as on_line:
        outcomes = Matrix(commands, arguments.jobs or this_machines_workers(), on_line).run()
    if arguments.json:
        print_json({"images": [_as_json(outcome) for outcome in outcomes]})
    _show(outcomes)
    failed = [outcome for outcome in outcomes if outcome.status != 0]
    return failed[0].status if failed else 0


def _buildable() -> Iterator[Recipe]:
    return (row.recipe for row in catalogue() if not row.recipe.lacks_bundle)


_PROGRESS = re.compile(r"\s*\d+\.\d s  ")
"""How `toolkit.cli.output` writes progress where there is no terminal."""


@contextmanager
def _bars(names: list[str]) -> Iterator[OnLine]:
    """A line of the screen for each image on a terminal; in a log, its progress with its name before it."""
    if not console.is_terminal:
        yield _print_progress
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[said]:.60}"),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        tasks = {name: bars.add_task(name, total=None, said="waiting", start=False) for name in names}

        def on_line(name: str, line: str) -> None:
            bars.start_task(tasks[name])
            bars.update(tasks[name], said=line.partition(" s  ")[2] or line)

        yield on_line


def _print_progress(name: str, line: str) -> None:
    """What a build says of its end is in the table."""
    if _PROGRESS.match(line):
        print(f"{name}  {line}", file=sys.stderr, flush=True)


def _show(outcomes: tuple[Outcome, ...]) -> None:
    table = Table("image", "", "seconds", "size", "image id", box=None, pad_edge=False)
    for outcome in outcomes:
        image = _image(outcome)
        if image:
            verb = "built" if image["built_now"] else "here already"
            row = (verb, f"{outcome.seconds:.0f}", human_size(float(str(image["bytes"]))), str(image["id"])[7:19])
        else:
            row = ("FAILED", f"{outcome.seconds:.0f}", "", "")
        table.add_row(outcome.name, *row, style=None if image else "red")
    console.print(table)
    for outcome in outcomes:
        if outcome.status != 0:
            lines = outcome.last.splitlines()
            start = next((n for n, line in enumerate(lines) if line.startswith("toolkit: error")), 0)
            console.print(f"\n{outcome.name}:\n" + "\n".join(lines[start:]), style="red", soft_wrap=True)


def _image(outcome: Outcome) -> dict[str, object] | None:
    if outcome.status != 0:
        return None
    image: dict[str, object] = json.loads(outcome.output)["image"]
    return image


def _as_json(outcome: Outcome) -> dict[str, object]:
    facts = {"name": outcome.name, "status": outcome.status, "seconds": round(outcome.seconds, 1)}
    return {**facts, "image": _image(outcome), "error": "" if outcome.status == 0 else outcome.last}

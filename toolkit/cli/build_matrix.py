"""`toolkit build --all`: the catalogue, or a selection of it, with a bar for each image and a table at the end."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from toolkit.api.builds import build_all, names_to_build
from toolkit.cli.columns import columns
from toolkit.cli.console import console
from toolkit.cli.output import human_size, print_json, progress_bar, say
from toolkit.image.matrix import OnLine, Outcome
from toolkit.image.tool_images import BUCKETS
from toolkit.progress import Report

_TITLES = ("IMAGE", "", "SECONDS", "SIZE", "IMAGE ID")


def run(arguments: argparse.Namespace) -> int:
    """Build them all; returns the status of the first that failed."""
    names = names_to_build(arguments.image)
    builder, jobs = arguments.builder, arguments.jobs
    with _bars(names) as (on_line, report):
        outcomes = build_all(names, builder=builder, at_once=jobs, on_line=on_line, report=report)
    if arguments.json:
        print_json({"images": [_as_json(outcome) for outcome in outcomes]})
    _show(outcomes)
    failed = [outcome for outcome in outcomes if outcome.status != 0]
    return failed[0].status if failed else 0


_PROGRESS = re.compile(r"\s*\d+\.\d s  ")
"""How `toolkit.cli.output` writes progress without a terminal."""


@contextmanager
def _bars(names: Sequence[str]) -> Iterator[tuple[OnLine, Report]]:
    """On a terminal, a line for each image; in a log, each image's progress, prefixed with its name.

    The report is for the buckets image, which is built first.
    """
    if not console.is_terminal:
        with progress_bar() as report:
            yield _print_progress, report
        return
    shown = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]:.60}"),
    )
    with Progress(*shown, console=console, transient=True) as bars:
        tasks = {name: bars.add_task(name, total=None, last="waiting", start=False) for name in (BUCKETS, *names)}

        def on_line(name: str, line: str) -> None:
            bars.start_task(tasks[name])
            bars.update(tasks[name], last=line.partition(" s  ")[2] or line)

        yield on_line, lambda step: on_line(BUCKETS, step.note or f"{step.stage}: {step.detail}")


def _print_progress(name: str, line: str) -> None:
    """Print progress only; a build's result is in the table."""
    if _PROGRESS.match(line):
        print(f"{name}  {line}", file=sys.stderr, flush=True)


def _show(outcomes: tuple[Outcome, ...]) -> None:
    heading, *lines = columns(_TITLES, [row(outcome) for outcome in outcomes], right=("SECONDS", "SIZE"))
    say(heading)
    for outcome, line in zip(outcomes, lines, strict=True):
        say(line, "" if outcome.status == 0 else "red")
    for outcome in outcomes:
        if outcome.status != 0:
            lines = outcome.last.splitlines()
            start = next((n for n, line in enumerate(lines) if line.startswith("toolkit: error")), 0)
            say(f"\n{outcome.name}:\n" + "\n".join(lines[start:]), "red")


def row(outcome: Outcome) -> tuple[str, ...]:
    """An image's cells: name, what was done, how long it took, size and ID."""
    image, seconds = _image(outcome), f"{outcome.seconds:.0f}"
    if image is None:
        return outcome.name, "FAILED", seconds, "", ""
    done = "built" if image["built_now"] else "already here"
    return outcome.name, done, seconds, human_size(float(str(image["bytes"]))), str(image["id"])[7:19]


def _image(outcome: Outcome) -> dict[str, object] | None:
    if outcome.status != 0:
        return None
    image: dict[str, object] = json.loads(outcome.output)["image"]
    return image


def _as_json(outcome: Outcome) -> dict[str, object]:
    facts = {"name": outcome.name, "status": outcome.status, "seconds": round(outcome.seconds, 1)}
    return {**facts, "image": _image(outcome), "error": "" if outcome.status == 0 else outcome.last}

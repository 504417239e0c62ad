"""`toolkit launch MANIFEST`, and what `toolkit retry` and `toolkit resume` share with it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict

from toolkit.api.launches import launch, launch_again
from toolkit.cli.output import ProgressBar, console, print_json
from toolkit.cli.run_output import Screen, show_end
from toolkit.run.records.record import Record


def run(arguments: argparse.Namespace) -> int:
    """Read, allocate hosts, plan, show the plan, submit the run, follow it."""
    if arguments.dry_run:
        from toolkit.cli import launch_dry_run

        return launch_dry_run.run(arguments)
    return _launch(
        lambda **options: launch(arguments.manifest, code=arguments.code, **options),
        arguments,
    )


def run_again(arguments: argparse.Namespace, *, resume: bool) -> int:
    """Launch the run again; with `resume`, from the old run's checkpoints."""
    return _launch(lambda **options: launch_again(arguments.training_id, resume=resume, **options), arguments)


def _launch(start: Callable[..., Record], arguments: argparse.Namespace) -> int:
    with ProgressBar(beside=True) as bar:
        screen = Screen(lines_to_stderr=arguments.json, raw=arguments.raw, before_plan=bar.close)
        record = start(
            cluster=arguments.cluster,
            wait=arguments.wait,
            follow=not arguments.detach,
            id_file=arguments.id_file,
            report=bar.report,
            view=screen,
        )
    if not record.final:
        return _detached(record, as_json=arguments.json)
    return show_end(record, as_json=arguments.json)


def _detached(record: Record, *, as_json: bool) -> int:
    """The run continues in the background."""
    if as_json:
        print_json(asdict(record))
    run = record.training_id
    console.print(f"{run} continues in the background\nnext: toolkit logs -f {run}, toolkit stop {run}", soft_wrap=True)
    return 0

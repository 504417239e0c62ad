"""`toolkit launch MANIFEST`, `toolkit retry TRAINING_ID` and `toolkit resume TRAINING_ID`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from toolkit.progress import Progress

if TYPE_CHECKING:
    from toolkit.cli.output import ProgressBar
    from toolkit.run.records.record import Record


def run(arguments: argparse.Namespace) -> int:
    """Read, allocate hosts, plan, show the plan, submit the run, follow it; `resume` begins from checkpoints."""
    if arguments.verb == "launch" and arguments.dry_run:  # needs little of what a launch imports
        from toolkit.cli import launch_dry_run

        return launch_dry_run.run(arguments)
    from toolkit.cli.console import console
    from toolkit.cli.output import ProgressBar, print_json, say

    with ProgressBar(beside=True) as bar:
        if console.is_terminal:  # before what a launch imports, which takes longer than a person waits for a sign
            bar.report(Progress("launch", "reading the manifest and the code"))
        record = _start(arguments, bar)
    if record.final:
        from toolkit.cli.run_output import show_end

        return show_end(record, as_json=arguments.json)
    if arguments.json:
        print_json(asdict(record))
    run_id = record.training_id
    say(f"{run_id} continues in the background\nnext: toolkit logs -f {run_id}, toolkit stop {run_id}")
    return 0


def _start(arguments: argparse.Namespace, bar: ProgressBar) -> Record:
    from toolkit.api.launches import launch, launch_again
    from toolkit.cli.run_output import Screen

    if arguments.verb == "launch":
        words = {"code": arguments.code, "deterministic": arguments.deterministic}
        start = partial(launch, arguments.manifest, **words)
    else:
        start = partial(launch_again, arguments.training_id, resume=arguments.verb == "resume")
    return start(
        cluster=arguments.cluster,
        wait=arguments.wait,
        follow=not arguments.detach,
        id_file=arguments.id_file,
        report=bar.report,
        view=Screen(lines_to_stderr=arguments.json, raw=arguments.raw, before_plan=bar.close),
    )

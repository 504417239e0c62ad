"""`toolkit launch MANIFEST`, `toolkit retry TRAINING_ID` and `toolkit resume TRAINING_ID`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial


def run(arguments: argparse.Namespace) -> int:
    """Read, allocate hosts, plan, show the plan, submit the run, follow it; `resume` begins from checkpoints."""
    if arguments.verb == "launch" and arguments.dry_run:  # needs little of what a launch imports
        from toolkit.cli import launch_dry_run

        return launch_dry_run.run(arguments)
    from toolkit.api.launches import launch, launch_again
    from toolkit.cli.output import ProgressBar, print_json, say
    from toolkit.cli.run_output import Screen, show_end

    if arguments.verb == "launch":
        start = partial(launch, arguments.manifest, code=arguments.code)
    else:
        start = partial(launch_again, arguments.training_id, resume=arguments.verb == "resume")
    with ProgressBar(beside=True) as bar:
        record = start(
            cluster=arguments.cluster,
            wait=arguments.wait,
            follow=not arguments.detach,
            id_file=arguments.id_file,
            report=bar.report,
            view=Screen(lines_to_stderr=arguments.json, raw=arguments.raw, before_plan=bar.close),
        )
    if record.final:
        return show_end(record, as_json=arguments.json)
    if arguments.json:
        print_json(asdict(record))
    run_id = record.training_id
    say(f"{run_id} continues in the background\nnext: toolkit logs -f {run_id}, toolkit stop {run_id}")
    return 0

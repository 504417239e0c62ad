"""`toolkit reproduce RUN`: run a recorded run again, and compare what both left."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from toolkit.api.reproductions import Check, Reproduced, check_reproduction, reproduce
from toolkit.cli.compare import facts_of, show_comparison, status_of
from toolkit.cli.output import ProgressBar, print_json, say
from toolkit.cli.run_output import Screen
from toolkit.errors import INTERRUPTED, Code
from toolkit.run.records.record import State


def run(arguments: argparse.Namespace) -> int:
    """Check; unless it is a dry run, launch, follow, compare."""
    with ProgressBar(beside=True) as bar:
        files = {"manifest": arguments.manifest, "cluster": arguments.cluster, "code": arguments.code}
        asked: dict[str, Any] = {**files, "deterministic": arguments.deterministic, "report": bar.report}
        if not arguments.dry_run:
            done = reproduce(
                arguments.run,
                **asked,
                accept_differences=arguments.accept_differences,
                tolerance=arguments.tolerance,
                wait=arguments.wait,
                follow=not arguments.detach,
                id_file=arguments.id_file,
                view=Screen(lines_to_stderr=arguments.json, raw=arguments.raw, before_plan=bar.close),
            )
        else:
            found = check_reproduction(arguments.run, **asked)
    return _show_check(found, as_json=arguments.json) if arguments.dry_run else _show(done, as_json=arguments.json)


def _show_check(found: Check, *, as_json: bool) -> int:
    """What is different here; 2 if anything is."""
    if as_json:
        print_json(asdict(found))
    elif found.differences:
        print("\n".join(map(str, found.differences)))
    if found.differences:
        say(f"what is here is not what {found.run} ran with", "red")
        return Code.RESOURCES_ASKED.exit_status
    say(f"what is here is what {found.run} ran with: its manifest, ranks, code, image and data", "green")
    return 0


def _show(done: Reproduced, *, as_json: bool) -> int:
    if as_json:
        comparison = facts_of(done.comparison) if done.comparison else None
        differences = [asdict(one) for one in done.differences]
        print_json({"record": asdict(done.record), "differences": differences, "comparison": comparison})
    if done.comparison:
        if not as_json:
            show_comparison(done.comparison)
        return status_of(done.comparison)
    run_id = done.record.training_id
    if done.record.state is State.HALTED:
        return INTERRUPTED
    comparing = f"toolkit compare {done.record.reproduces} {run_id}"
    say(f"{run_id} continues in the background\nnext: toolkit logs -f {run_id}, then {comparing}")
    return 0

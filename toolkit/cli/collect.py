"""`toolkit collect TRAINING_ID`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from toolkit.api.models import collect
from toolkit.api.records import find_run
from toolkit.api.scoring import score
from toolkit.cli.output import ProgressBar, human_size, print_json, progress_bar, say
from toolkit.cli.signature_table import signature_table
from toolkit.errors import INTERRUPTED, Code, ToolkitError
from toolkit.run.records.record import Record, State

_MOST = 20
"""The number of files without a checksum that are named."""


def run(arguments: argparse.Namespace) -> int:
    """Download the model of a run and check it."""
    if not arguments.checkpoint and (arguments.cluster or arguments.wait):
        raise ToolkitError(Code.MANIFEST, "--cluster and --wait are for --checkpoint: nothing else runs")
    record = _checkpoint_run(arguments) if arguments.checkpoint else find_run(arguments.training_id)
    if arguments.checkpoint and record.state is not State.COMPLETED:
        say(f"{record.training_id} {record.state.value}; next: toolkit logs -f {record.training_id}")
        return INTERRUPTED if record.final else 0
    if arguments.sample and arguments.what and not {"model", "all"} & set(arguments.what):
        raise ToolkitError(Code.MANIFEST, "--sample needs the model", hint="--what model, besides the patterns")
    with progress_bar() as report:
        collected = collect(record, to=arguments.to, what=arguments.what or ("model",), report=report)
        scored = score(record, arguments.sample, to=arguments.to, report=report) if arguments.sample else None
    if arguments.json:
        facts: dict[str, Any] = {"training_id": record.training_id, "folder": str(collected.folder)}
        facts |= {"files": collected.files, "bytes": collected.size, "unloaded": collected.unloaded}
        facts["signatures"] = {name: asdict(signature) for name, signature in collected.signatures.items()}
        facts |= {"metrics": collected.metrics, "missing": list(collected.missing)}
        facts |= {"unchecked": list(collected.unchecked)} | ({"sample": scored.answer} if scored else {})
        print_json(facts)
    for path in collected.missing:
        say(f"not collected: the run has no {path}", "yellow")
    for path in collected.unchecked[:_MOST]:
        say(f"not in the run's checksums: {path}", "yellow")
    if more := collected.unchecked[_MOST:]:
        say(f"not in the run's checksums: {len(more)} more files", "yellow")
    if collected.said:
        say(collected.said)
    say(f"{collected.folder}  {collected.files} files, {human_size(collected.size)}")
    held = "checksums verified" if not collected.unchecked else "checksums verified where there are any"
    say(f"{held}; {f'no model loaded: {collected.unloaded}' if collected.unloaded else f'loaded in {record.image}'}")
    if collected.signatures:
        say(signature_table(collected.signatures))
    if scored and not arguments.json:
        print(scored.text, end="")
    return 0


def _checkpoint_run(arguments: argparse.Namespace) -> Record:
    """The run of the later commands on the checkpoint that was asked for; it is followed to its end."""
    from toolkit.api.checkpoints import run_checkpoint
    from toolkit.cli.run_output import Screen

    with ProgressBar(beside=True) as bar:
        return run_checkpoint(
            arguments.training_id,
            arguments.checkpoint,
            cluster=arguments.cluster,
            wait=arguments.wait,
            report=bar.report,
            view=Screen(lines_to_stderr=arguments.json, before_plan=bar.close),
        )

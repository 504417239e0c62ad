"""`toolkit collect TRAINING_ID`."""

from __future__ import annotations

import argparse

from toolkit.api.models import collect
from toolkit.api.records import find_run
from toolkit.cli.output import human_size, print_json, progress_bar, say

_MOST = 20
"""The number of files without a checksum that are named."""


def run(arguments: argparse.Namespace) -> int:
    """Download the model of a run and check it."""
    record = find_run(arguments.training_id)
    with progress_bar() as report:
        collected = collect(record, to=arguments.to, what=arguments.what or ("model",), report=report)
    if arguments.json:
        facts = {"folder": str(collected.folder), "files": collected.files, "bytes": collected.size}
        facts |= {"signatures": collected.signatures, "metrics": collected.metrics, "missing": list(collected.missing)}
        facts |= {"unchecked": list(collected.unchecked), "unloaded": collected.unloaded}
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
    signatures = ", ".join(sorted(collected.signatures))
    held = "checksums verified" if not collected.unchecked else "checksums verified where there are any"
    loaded = f"loaded in {record.image}; signatures: {signatures}"
    say(f"{held}; {f'no model loaded: {collected.unloaded}' if collected.unloaded else loaded}")
    return 0

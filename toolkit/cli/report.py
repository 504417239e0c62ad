"""`toolkit report TRAINING_ID... -o FILE`, or `--serve`."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress

from toolkit.api.reports import report as write_report
from toolkit.api.reports import serve_report
from toolkit.cli.output import human_size, print_json, progress_bar, say, show_note
from toolkit.plural import counted


def run(arguments: argparse.Namespace) -> int:
    """Write a report of the runs, or serve it."""
    if arguments.serve:
        with suppress(KeyboardInterrupt):  # which is how it ends
            ready = _print_url if arguments.json else None
            serve_report(arguments.training_ids, port=arguments.port, ready=ready, report=show_note)
        return 0
    with progress_bar() as report:
        written = write_report(arguments.training_ids, arguments.output, report=report)
    if arguments.json:
        facts = {"file": str(written.file), "bytes": written.size, "runs": list(written.runs)}
        print_json(facts | {"notes": list(written.notes)})
    for note in written.notes:
        say(f"toolkit: {note}", "yellow")
    say(f"{written.file}  {counted(len(written.runs), 'run')}, {human_size(written.size)}")
    return 0


def _print_url(url: str) -> None:
    print_json({"url": url})
    sys.stdout.flush()  # whoever reads the URL from a pipe does not wait for the end

"""`toolkit serve TRAINING_ID`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from toolkit import interrupts
from toolkit.api.records import find_run
from toolkit.api.scoring import serve
from toolkit.cli.output import ProgressBar, print_json, say
from toolkit.cli.signature_table import signature_table


def run(arguments: argparse.Namespace) -> int:
    """Serve a run's model until Ctrl-C."""
    record = find_run(arguments.training_id)
    where = {"port": arguments.port, "host": arguments.host, "name": arguments.name, "to": arguments.to}
    with ProgressBar() as bar, serve(record, **where, report=bar.report, seen=_seen) as served:
        bar.close()
        if arguments.json:
            signatures = {name: asdict(signature) for name, signature in served.signatures.items()}
            print_json({"url": served.url, "signatures": signatures, "example": served.example})
            sys.stdout.flush()  # whoever reads the URL from a pipe does not wait for the end
        say(signature_table(served.signatures))
        if served.example:
            say(f"try: {served.example}")
        say(f"serving {record.training_id} at {served.url} (for trying, not for production; Ctrl-C ends it)")
        try:
            served.wait()
        except KeyboardInterrupt:
            interrupts.answered()
    return 0


def _seen(method: str, path: str, status: int, seconds: float) -> None:
    say(f"{method} {path}  {status}  {seconds * 1000:.0f} ms", "" if status == 200 else "yellow")

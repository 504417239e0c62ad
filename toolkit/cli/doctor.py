"""`toolkit doctor --cluster FILE [MANIFEST]`: every check on every host, and how to fix what is wrong."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from rich.text import Text

from toolkit.api.host_checks import Checkup, doctor
from toolkit.cli.console import SafeConsole
from toolkit.cli.output import print_json
from toolkit.doctor.finding import Verdict, counts
from toolkit.doctor.report import report_lines, summary
from toolkit.errors import Code

_COLOURS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red", Verdict.SKIPPED: "dim"}


def run(arguments: argparse.Namespace) -> int:
    """Run the checks and report; 3 if any failed."""
    found = doctor(arguments.cluster, arguments.manifest)
    if arguments.json:
        print_json(
            {
                "cluster": found.cluster.name,
                "seconds": round(found.seconds, 2),
                "counts": dict(counts(found.findings)),
                "findings": [asdict(finding) for finding in found.findings],
            }
        )
    else:
        _show(found, verbose=arguments.verbose)
    return 0 if found.passed else Code.RESOURCES.exit_status


def _show(found: Checkup, *, verbose: bool) -> None:
    screen = SafeConsole()
    for line, verdict in report_lines(found.findings, verbose=verbose):
        style = _COLOURS[verdict] if verdict else ""
        screen.print(Text(line, style=style), soft_wrap=True)
    screen.print(Text(summary(found.findings, len(found.cluster.hosts) or 1), style="bold"), soft_wrap=True)

"""Benchmarks beside what people would use instead: `python -m benchmarks.compare [GROUP ...]`.

Ours and the peer are measured in turn; docs/benchmarks.md and docs/benchmarks.json get the medians, the ratio and the
spread. Rows that are not measured in a call stay as they were.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.compare.page import Page
from benchmarks.compare.run import group_names, run_groups
from benchmarks.launched import ROOT


def main() -> int:
    """Measure what the command line names, and write the page after each case."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"default: all of {', '.join(group_names())}")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="only the cases with such names, as in cli-*")
    parser.add_argument("--rounds", type=int, metavar="N", help="measurements of each side, instead of each case's own")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md", metavar="FILE")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.groups) - set(group_names())):
        parser.error(f"no such group: {', '.join(unknown)}")
    page = Page(arguments.page)
    with tempfile.TemporaryDirectory(prefix="toolkit-bench-") as folder:
        groups = arguments.groups or group_names()
        for outcome in run_groups(groups, arguments.only, arguments.rounds, Path(folder)):
            page.add(outcome)
            print(page.line(outcome), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

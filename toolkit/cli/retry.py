"""`toolkit retry TRAINING_ID`."""

from __future__ import annotations

import argparse

from toolkit.cli.launch import run_again


def run(arguments: argparse.Namespace) -> int:
    """Run it again, from the beginning."""
    return run_again(arguments, resume=False)

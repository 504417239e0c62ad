"""`toolkit resume TRAINING_ID`."""

from __future__ import annotations

import argparse

from toolkit.cli.launch import run_again


def run(arguments: argparse.Namespace) -> int:
    """Start a new run from its checkpoints."""
    return run_again(arguments, resume=True)

"""A run's key, which authenticates its agents' objects in the bucket. Made at launch, kept beside the records."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from toolkit.atomic_file import write_once
from toolkit.paths import private_folder
from toolkit.run.plan.training_id import TrainingId, parse_training_id

_BYTES = 32


def new_run_key(home: Path, run: TrainingId) -> str:
    """Create the key of a run, or return the existing one."""
    write_once(_file(home, run), secrets.token_hex(_BYTES).encode(), mode=0o600)
    return run_key(home, run)


def run_key(home: Path, run: TrainingId) -> str:
    """The key of a run; empty if an earlier version, or someone else, launched it."""
    with suppress(OSError, ValueError):  # a damaged one authenticates nothing
        return _file(home, run).read_text("ascii").strip()
    return ""


def _file(home: Path, run: TrainingId) -> Path:
    return private_folder(home / "runs") / f"{parse_training_id(run)}.key"

"""rclone's progress, as JSON on its standard error. Pure."""

from __future__ import annotations

import json

STATS = ("--use-json-log", "--stats", "1s", "--stats-log-level", "NOTICE")
"""The options that make it print its progress each second."""


def read_stats(line: str) -> tuple[int, int] | None:
    """Bytes done and total, from a line of rclone's log; None if the line says something else."""
    try:
        stats = json.loads(line)["stats"]
        return int(stats["bytes"]), int(stats["totalBytes"])
    except (ValueError, KeyError, TypeError):
        return None


def read_message(line: str) -> str:
    """The message in a line of rclone's log; any other line unchanged."""
    try:
        return str(json.loads(line)["msg"]).strip()
    except (ValueError, KeyError, TypeError):
        return line

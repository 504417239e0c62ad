"""Runs rclone, in the container that has the keys: each command has a deadline."""

from __future__ import annotations

import subprocess

from toolkit.agent.paths import CONFIG

LIST_SECONDS = 900.0
"""For a list of all objects of a run, 1,000 per request."""
_SHORT_SECONDS = 120.0
_SLOWEST = 1 << 20
"""Bytes per second read or written; a slower store counts as not answering."""


def seconds_for(size: int, besides: float = _SHORT_SECONDS) -> float:
    """Deadline for `size` bytes plus overhead."""
    return besides + size / _SLOWEST


def rclone(
    *words: str, seconds: float, data: bytes = b"", file: int | None = None, config: str = CONFIG
) -> subprocess.CompletedProcess[bytes]:
    """Run rclone; its input is `data`, or the descriptor `file`. After `seconds` it is killed, and has failed."""
    argv = ("rclone", "--config", config, *words)
    try:
        given = data if file is None else None
        return subprocess.run(argv, input=given, stdin=file, capture_output=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 1, b"", f"rclone {words[0]}: timed out after {seconds:.0f} s".encode())

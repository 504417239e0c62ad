"""How fast the link to a host is, and whether compression pays there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from toolkit.hosts.shell import Shell

GZIP_RATE = 70e6
"""Bytes per second of an image that gzip's fastest level takes in on one core (`benchmarks/packing.py`)."""
_SINK = ("wc", "-c")
_PIECE = os.urandom(1 << 18)
"""Random, so that a connection that compresses by itself measures what the wire does."""
_FIRST = 17
"""Pieces before the clock starts: large transfers begin with the 5th megabyte (`Shell.feed`)."""
_MOST_SECONDS, _MOST_PIECES = 0.4, 128


def measure(shell: Shell) -> float:
    """Bytes per second to a host, from at most 36 MB, which it counts. Raises `ToolkitError` as `shell` does."""
    began, count = 0.0, 0

    def pieces() -> Iterator[bytes]:
        nonlocal began, count
        for _ in range(_FIRST):
            yield _PIECE
        began = time.monotonic()
        while count < _MOST_PIECES and time.monotonic() - began < _MOST_SECONDS:
            count += 1
            yield _PIECE

    shell.feed(_SINK, pieces())
    return count * len(_PIECE) / max(time.monotonic() - began, 1e-6)


def is_worth_packing(rate: float, cores: int) -> bool:
    """Whether an image arrives earlier if it is compressed for a link of `rate` bytes per second.

    gzip needs a core of its own beside the engine, which saves the image meanwhile.
    """
    return rate < (GZIP_RATE if cores > 1 else GZIP_RATE / 2)

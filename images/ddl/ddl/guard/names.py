"""Which variables are meant to differ between ranks, by name. Known before anything is initialised."""

from __future__ import annotations

import fnmatch

_patterns: set[str] = set()


def exclude(*patterns: str) -> None:
    """Exclude variables whose names fit a pattern, as `fnmatch` has them."""
    _patterns.update(patterns)


def is_excluded(name: str) -> bool:
    """Whether a variable's name fits one of the patterns."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _patterns)

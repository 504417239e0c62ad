"""Names of variables that are meant to differ between ranks. May be used before initialisation."""

from __future__ import annotations

import fnmatch

_patterns: set[str] = set()


def exclude(*patterns: str) -> None:
    """Exclude variables whose names match an `fnmatch` pattern."""
    _patterns.update(patterns)


def is_excluded(name: str) -> bool:
    """Whether a variable's name matches one of the patterns."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _patterns)

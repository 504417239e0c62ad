"""Counts and lists of things in messages."""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, noun: str) -> str:
    """`1 rank`, `2 ranks`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(names: Sequence[str], most: int, more: str = " and ") -> str:
    """`a, b, c and 2 more`: the first `most` of the names, and how many more there are after `more`."""
    return ", ".join(names[:most]) + (f"{more}{len(names) - most} more" if len(names) > most else "")

"""Counts, sizes and lists of things in messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def counted(count: int, noun: str) -> str:
    """`1 rank`, `2 ranks`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def ranges(numbers: Iterable[int]) -> str:
    """`0-3,8` for the numbers 0, 1, 2, 3 and 8."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in found)


def listed(names: Sequence[str], most: int, more: str = " and ") -> str:
    """`a, b, c and 2 more`: the first `most` of the names, and how many more there are after `more`."""
    return ", ".join(names[:most]) + (f"{more}{len(names) - most} more" if len(names) > most else "")


def human_size(size: float) -> str:
    """Human-readable bytes, in powers of 1000: `1.7 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.95:  # what rounds to 1000.0 becomes the next unit's 1.0
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"

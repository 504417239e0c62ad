"""Decides which gradients are fused into one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def group_limit(environ: Mapping[str, str]) -> int | None:
    """Maximum number of elements in a group: ``DDL_GROUP_SIZE``; None, no limit, if it is unset or empty.

    Raises:
        ValueError: it is not a positive integer.
    """
    text = environ.get("DDL_GROUP_SIZE", "").strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"ddl: DDL_GROUP_SIZE must be a whole number of elements above 0, not {text!r}")
    return int(text)


def split_groups(sizes: Sequence[int], limit: int | None) -> list[slice]:
    """Split a list of gradients into consecutive groups of at most ``limit`` elements each.

    Every rank computes this for itself and must get the same result, so it depends only on its arguments. A gradient
    larger than the limit is a group of its own; the order never changes.

    Args:
        sizes: elements of each gradient, 0 or more.
        limit: maximum elements in a group; None puts all into one.
    Returns:
        Slices of the list, in order, without gaps; none is empty.
    """
    groups: list[slice] = []
    start, elements = 0, 0
    for index, size in enumerate(sizes):
        if limit is not None and index > start and elements + size > limit:
            groups.append(slice(start, index))
            start, elements = index, 0
        elements += size
    if len(sizes) > start:
        groups.append(slice(start, len(sizes)))
    return groups

"""A full disk, reported in the same way wherever it is noticed first: the download, the pool, or a layer."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from toolkit.errors import Code, ToolkitError


def cache_full(evidence: str) -> ToolkitError:
    """The cache's disk is full."""
    return ToolkitError(
        Code.RESOURCES,
        "the disk of the cache is full",
        evidence=evidence,
        hint="free some space there, or name another folder by TOOLKIT_CACHE; nothing half was kept",
    )


@contextmanager
def disk_watched(full: Callable[[str], ToolkitError] = cache_full) -> Iterator[None]:
    """Raise `full`'s error if a write within the context finds no space or exceeds a quota; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise full(str(error)) from None

"""A full disk, reported in the same way wherever it is noticed first: the download, the pool, or a layer."""

from __future__ import annotations

import errno
from collections.abc import Iterator
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


def is_full(error: OSError) -> bool:
    """Whether there is no space left, or the quota is exceeded."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def cache_watched() -> Iterator[None]:
    """Raise `cache_full` if a write within the context finds no space; other errors pass."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise cache_full(str(error)) from None

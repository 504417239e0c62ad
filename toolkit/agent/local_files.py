"""Which files of a folder on the host's disk must be linked, uploaded or removed. Pure.

`toolkit.agent.local_results` asks, `toolkit.agent.local_folder` and `toolkit.agent.local_uploads` act.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_AT_ONCE = 100
"""Files of one upload. rclone names the last 100 files that a job has transferred, and silently leaves out what it does
not find: only what it names is stored."""
_ODD = re.compile("[\x00-\x1f\x7f‛␀-␡／．\ud800-\udfff]")
"""In names that rclone writes differently in a list of files, in its log and in the store."""


class Stamp(NamedTuple):
    """What a file's contents are known by, from stat(2); times in nanoseconds. A program can set `modified`, but not
    `changed`."""

    inode: int
    size: int
    modified: int
    changed: int


UNKNOWN = Stamp(0, 0, 0, 0)
"""That of an object whose upload has begun: it may be in the bucket, completely or not."""


@dataclass(frozen=True)
class Scan:
    """A folder's regular files by name; what cannot be stored, with the reason; files with too large a hole, with its
    size in bytes."""

    files: dict[str, Stamp] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    sparse: dict[str, int] = field(default_factory=dict)


def to_unlink(files: Mapping[str, Stamp], links: Mapping[str, int]) -> list[str]:
    """The links whose file was removed or renamed; `links` has the inode of each."""
    return [name for name in links if name not in files]


def to_link(files: Mapping[str, Stamp], links: Mapping[str, int]) -> list[str]:
    """The files without a link, and those that another file has replaced."""
    return [name for name, stamp in files.items() if links.get(name) != stamp.inode]


def to_upload(files: Mapping[str, Stamp], stored: Mapping[str, Stamp], earlier: Iterable[str]) -> dict[str, Stamp]:
    """The files that are not in the bucket as they are now; those of `earlier` come first, in its order."""
    first = (name for name in earlier if name in files)
    return {name: files[name] for name in itertools.chain(first, files) if stored.get(name) != files[name]}


def to_remove(files: Mapping[str, Stamp], stored: Mapping[str, Stamp]) -> list[str]:
    """The objects whose file was removed or renamed. Only what was uploaded from here is in `stored`."""
    return [name for name in stored if name not in files]


def at_rest(wanted: Mapping[str, Stamp], before: Mapping[str, Stamp]) -> dict[str, Stamp]:
    """The files that are as they were in the scan before: one that a program keeps appending to waits for nobody."""
    return {name: stamp for name, stamp in wanted.items() if before.get(name) == stamp}


def next_upload(waiting: Mapping[str, Stamp], links: Mapping[str, int], never: Container[str]) -> dict[str, Stamp]:
    """The files to upload next, of those that wait: linked ones. One with an odd name is alone.

    `never`: those whose upload would not end.
    """
    ready = ((name, stamp) for name, stamp in waiting.items() if links.get(name) == stamp.inode and name not in never)
    return dict(first_of(ready))


def first_of(items: Iterable[tuple[str, Stamp]]) -> Iterable[tuple[str, Stamp]]:
    """The first of them, together with those that follow and can be in one list with it."""
    items = iter(items)
    for first in items:
        yield first
        if not is_odd(first[0]):
            usual = (item for item in items if not is_odd(item[0]))
            yield from itertools.islice(usual, MOST_AT_ONCE - 1)
        return


def is_odd(name: str) -> bool:
    """Whether a file with this name must be uploaded, or removed, by itself."""
    return _ODD.search(name) is not None

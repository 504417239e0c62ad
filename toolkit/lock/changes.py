"""What a renewed lock changes: each package's version before and now. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from toolkit.lock.model import DebPin, Lock, WheelPin


@dataclass(frozen=True, order=True)
class Change:
    """One package of a `kind` ("deb" or "wheel"): its version before and now, empty if it was or is not there."""

    kind: str
    name: str
    old: str
    new: str


def changes(old: Lock | None, new: Lock) -> tuple[Change, ...]:
    """The differences, sorted by kind and name; includes a file that changed under the same version."""
    before = old or Lock("", "", (), ())
    return (*_changes("deb", before.debs, new.debs), *_changes("wheel", before.wheels, new.wheels))


def changes_of_additions(framework: Lock, old: Lock | None, new: Lock) -> tuple[Change, ...]:
    """What a renewed lock of user packages on `framework` changes in the image.

    Such a lock holds all of the base's Debian packages or, if none are added, none of them: the image then has those of
    the framework's own lock.
    """
    before = old or replace(framework, debs=(), wheels=())
    return changes(*(replace(lock, debs=lock.debs or framework.debs) for lock in (before, new)))


def _changes(kind: str, old: Sequence[DebPin | WheelPin], new: Sequence[DebPin | WheelPin]) -> Iterator[Change]:
    before, now = ({pin.name: pin for pin in pins} for pins in (old, new))
    for name in sorted(before.keys() | now.keys()):
        was, became = before.get(name), now.get(name)
        if not was or not became or was.sha256 != became.sha256:
            yield Change(kind, name, was.version if was else "", became.version if became else "")

"""The lock inside an image: the hashes of what was downloaded for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from toolkit.errors import ToolkitError
from toolkit.image.labels import LOCK_IN_IMAGE
from toolkit.inventory.model import DEB, PYTHON, Contents, Package
from toolkit.lock.file import parse_lock
from toolkit.lock.model import DebPin, Lock, WheelPin


@dataclass(frozen=True)
class Downloads:
    """The download of each package; `lock` is None if the image has none that can be read."""

    lock: Lock | None

    def of(self, package: Package) -> DebPin | WheelPin | None:
        """The file that the package came in, if the lock lists it."""
        if package.carried_by:
            return None
        return self._pins.get((package.kind, package.name, package.version, package.architecture))

    @cached_property
    def _pins(self) -> dict[tuple[str, str, str, str], DebPin | WheelPin]:
        if self.lock is None:
            return {}
        pins: dict[tuple[str, str, str, str], DebPin | WheelPin] = {
            (PYTHON, wheel.name, wheel.version, ""): wheel for wheel in self.lock.wheels
        }
        for deb in self.lock.debs:
            pins[DEB, deb.name, deb.version, deb.architecture] = deb
        return pins


def downloads_of(contents: Contents) -> Downloads:
    """The contents of the lock in the image."""
    return Downloads(lock_of(contents.lock))


def lock_of(text: str) -> Lock | None:
    """The lock in an image; one built by an older version of the tool has none, or one that can no longer be read."""
    try:
        return parse_lock(text, LOCK_IN_IMAGE) if text else None
    except ToolkitError:
        return None

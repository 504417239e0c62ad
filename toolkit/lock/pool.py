"""The pool: every file of a lock, once, by its SHA-256; filled by downloads, by resolving or from a bundle.

A file's hash is compared when it is added, and again whenever it is used: a shared cache can be tampered with, and
disks fail. A damaged file is dropped, and fetched again when needed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from toolkit.atomic_file import copy_of, sha256_of
from toolkit.errors import Code, ToolkitError
from toolkit.full_disk import disk_watched
from toolkit.lock.model import DebPin, WheelPin
from toolkit.paths import private_folder

Pin = DebPin | WheelPin
AnyPin = TypeVar("AnyPin", DebPin, WheelPin, DebPin | WheelPin)


class Pool:
    """A folder of files, `<sha256>/<file name>`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, pin: Pin) -> Path:
        """The path of the pin's file, whether it exists or not."""
        return self.folder / pin.sha256 / pin.file

    def missing(self, pins: Iterable[Pin]) -> list[Pin]:
        """The pins whose files are missing; existing files are not read."""
        return [pin for pin in pins if not self.path(pin).is_file()]

    def lacking(self, pins: Iterable[AnyPin], on_dropped: Callable[[AnyPin], None] = lambda _: None) -> list[AnyPin]:
        """The pins whose files are missing or damaged; damaged ones are dropped, and passed to `on_dropped`."""
        found = []
        for pin in dict.fromkeys(pins):
            if self.is_whole(pin):
                continue
            if self.path(pin).exists():
                self.drop(pin)
                on_dropped(pin)
            found.append(pin)
        return found

    def is_whole(self, pin: Pin) -> bool:
        """Whether the pin's file exists, with the lock's hash."""
        try:
            return sha256_of(self.path(pin)) == pin.sha256
        except OSError:
            return False

    def add(self, file: Path, pin: Pin) -> Path:
        """Add a copy of `file` as the pin's; raises `ToolkitError` (S103) if its hash differs."""
        with self.scratch() as folder:
            copy = folder / pin.file
            shutil.copyfile(file, copy)
            return self.take(copy, pin)

    def take(self, file: Path, pin: Pin) -> Path:
        """Move `file` from `scratch` to its place; raises `ToolkitError` (S103) as `add` does."""
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
            os.fsync(stream.fileno())  # its name must not survive a power failure that its bytes do not
        if found != pin.sha256:
            raise ToolkitError(
                Code.IMAGE,
                f"{pin.file} does not match the lock",
                evidence=f"expected sha256 {pin.sha256}\nfound    sha256 {found}",
                hint="the mirror serves another file, or the download was damaged: try again, or use another mirror",
            )
        return file.replace(private_folder(self.path(pin).parent) / pin.file)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder on the pool's own disk for incoming files; removed afterwards."""
        private_folder(self.folder)
        with disk_watched(), tempfile.TemporaryDirectory(dir=self.folder, prefix=".new-") as folder:
            yield Path(folder)

    def drop(self, pin: Pin) -> None:
        """Remove the pin's file; no error if it does not exist."""
        shutil.rmtree(self.path(pin).parent, ignore_errors=True)

    def copy(self, pins: Iterable[Pin], folder: Path) -> None:
        """Give `folder` a copy of every pin's file, sharing disk blocks if the file system can.

        Never a hard link: the recipient may write to it. Raises `ToolkitError` (S103) if the copy's hash is not the
        lock's.
        """
        for pin in pins:
            copy_of(self.path(pin), folder / pin.file)
            if sha256_of(folder / pin.file) != pin.sha256:
                self.drop(pin)
                raise ToolkitError(
                    Code.IMAGE,
                    f"the pool's {pin.file} does not match the lock and was dropped",
                    hint="try again: it will be fetched again. If it happens again, something else writes to the cache",
                )

"""The pool: every file that a lock names, once, below its SHA-256; filled by downloads, by solving or from a bundle."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.errors import Code, ToolkitError
from toolkit.full_disk import cache_watched
from toolkit.lock.model import DebPin, WheelPin
from toolkit.places import private_folder

Pin = DebPin | WheelPin


class Pool:
    """A folder of checked files, `<sha256>/<file name>`: what lies there has had its hash compared."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, pin: Pin) -> Path:
        """Where the pin's file lies, or would."""
        return self.folder / pin.sha256 / pin.file

    def missing(self, pins: Iterable[Pin]) -> list[Pin]:
        """The pins whose files are not here."""
        return [pin for pin in pins if not self.path(pin).is_file()]

    def add(self, file: Path, pin: Pin) -> Path:
        """Take a copy of `file` in as the pin's; raises `ToolkitError` (S103) where its hash is another."""
        with self.scratch() as folder:
            copy = folder / pin.file
            shutil.copyfile(file, copy)
            return self.take(copy, pin)

    def take(self, file: Path, pin: Pin) -> Path:
        """Move `file`, which lies in `scratch`, to its place; raises `ToolkitError` (S103) as `add` does."""
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != pin.sha256:
            raise ToolkitError(
                Code.IMAGE,
                f"{pin.file} is not what the lock says",
                evidence=f"expected sha256 {pin.sha256}\nfound    sha256 {found}",
                mend="the mirror serves another file, or the download was damaged: try again, or another mirror",
            )
        return file.replace(private_folder(self.path(pin).parent) / pin.file)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder on the pool's own disk for files on their way in; gone afterwards."""
        private_folder(self.folder)
        with cache_watched(), tempfile.TemporaryDirectory(dir=self.folder, prefix=".new-") as folder:
            yield Path(folder)

    def drop(self, pin: Pin) -> None:
        """Forget the pin's file; it is no error if it is not there."""
        shutil.rmtree(self.path(pin).parent, ignore_errors=True)

    def link(self, pins: Iterable[Pin], folder: Path) -> None:
        """Give `folder` every pin's file, as hard links where the file system lets us."""
        for pin in pins:
            try:
                os.link(self.path(pin), folder / pin.file)
            except OSError:
                shutil.copyfile(self.path(pin), folder / pin.file)

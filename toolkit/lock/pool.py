"""The pool: every file that a lock names, once, below its SHA-256; filled by downloads, by solving or from a bundle.

A file's hash is compared when it comes in, and again whenever it is handed out: who can write to a shared cache, or a
bad disk, may have changed it meanwhile. A damaged file is dropped, and whoever needs it fetches it again.
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
from toolkit.full_disk import cache_watched
from toolkit.lock.model import DebPin, WheelPin
from toolkit.paths import private_folder

Pin = DebPin | WheelPin
AnyPin = TypeVar("AnyPin", DebPin, WheelPin, DebPin | WheelPin)


class Pool:
    """A folder of files, `<sha256>/<file name>`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, pin: Pin) -> Path:
        """Where the pin's file lies, or would."""
        return self.folder / pin.sha256 / pin.file

    def missing(self, pins: Iterable[Pin]) -> list[Pin]:
        """The pins whose files are not here; what is here is not read."""
        return [pin for pin in pins if not self.path(pin).is_file()]

    def lacking(self, pins: Iterable[AnyPin], on_dropped: Callable[[AnyPin], None] = lambda _: None) -> list[AnyPin]:
        """The pins whose files are not here, or are damaged: those are dropped, and `on_dropped` gets each."""
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
        """Whether the pin's file is here, and its bytes have the lock's hash."""
        try:
            return sha256_of(self.path(pin)) == pin.sha256
        except OSError:
            return False

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
            os.fsync(stream.fileno())  # its name must not outlive a power failure that its bytes do not
        if found != pin.sha256:
            raise ToolkitError(
                Code.IMAGE,
                f"{pin.file} is not what the lock says",
                evidence=f"expected sha256 {pin.sha256}\nfound    sha256 {found}",
                hint="the mirror serves another file, or the download was damaged: try again, or another mirror",
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

    def copy(self, pins: Iterable[Pin], folder: Path) -> None:
        """Give `folder` a copy of every pin's file, of one disk block with it where the file system can.

        Never a second name of the same file: whoever gets it may write to it. Raises `ToolkitError` (S103) where the
        copy's hash is not the lock's.
        """
        for pin in pins:
            copy_of(self.path(pin), folder / pin.file)
            if sha256_of(folder / pin.file) != pin.sha256:
                self.drop(pin)
                raise ToolkitError(
                    Code.IMAGE,
                    f"the pool's {pin.file} is not what the lock says, and is dropped",
                    hint="start again: it is fetched anew. Where it happens again, something writes to the cache",
                )

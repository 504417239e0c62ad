"""A folder that learners write to, and hard links to its files where no learner can reach them.

A program can replace any name in its folder by anything, at any moment: by a link to the keys, for one. So nothing here
is opened by its name and read: rclone uploads the hard link to a file, which stays that file.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from toolkit.agent.local_files import Scan, Stamp
from toolkit.agent.untrusted import NotRegular, hole, kind_of, opened_folder

MAX_HOLE = 64 << 30
"""Maximum hole of a result file in bytes. Holes in checkpoints are small compared to it."""
_DEEPEST, _LONGEST = 200, 1024
"""Folders in one another; bytes of a name, as S3 allows."""
_DIRECTORY = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


def scan(folder: Path) -> Scan:
    """What is in `folder`; no link is followed. A folder that does not exist yet is empty."""
    found = Scan()
    with suppress(FileNotFoundError):
        _scan(os.open(folder, _DIRECTORY), "", found, _DEEPEST)
    return found


def _scan(here: int, above: str, found: Scan, deeper: int) -> None:
    """Add what the open directory `here` has, and close it."""
    try:
        with os.scandir(here) as entries:
            for entry in entries:
                name = above + entry.name
                with suppress(FileNotFoundError):  # removed meanwhile
                    about = os.stat(entry.name, dir_fd=here, follow_symlinks=False)
                    if stat.S_ISDIR(about.st_mode):
                        _scan_below(here, name, entry.name, found, deeper)
                    elif len(os.fsencode(name)) > _LONGEST:
                        found.others[name] = f"a path of more than {_LONGEST} bytes"
                    elif stat.S_ISREG(about.st_mode):
                        found.files[name] = stamp_of(about)
                        if hole(about) > MAX_HOLE:
                            found.sparse[name] = hole(about)
                    else:
                        found.others[name] = kind_of(about.st_mode)
    finally:
        os.close(here)


def _scan_below(here: int, name: str, last: str, found: Scan, deeper: int) -> None:
    if not deeper:
        found.others[name] = f"a directory in more than {_DEEPEST} others"
        return
    try:
        below = os.open(last, _DIRECTORY, dir_fd=here)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):  # replaced meanwhile: the next scan sees by what
            return
        raise
    _scan(below, f"{name}/", found, deeper - 1)


def stamp_of(about: os.stat_result) -> Stamp:
    """The stamp of a file."""
    return Stamp(about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


class Links:
    """Hard links to the files of `folder`, under the same names below `place`, which no learner reaches.

    `by_name` has the inode of each. `spare` is a name in the same file system, for a link that is not checked yet.
    """

    def __init__(self, folder: Path, place: Path, spare: Path) -> None:
        self._folder, self._place, self._spare = folder, place, spare
        self.by_name = {name: stamp.inode for name, stamp in scan(place).files.items()}

    def path(self, name: str) -> Path:
        """The link of a file."""
        return self._place / name

    def add(self, name: str) -> Stamp:
        """Link a file, in place of an earlier link; returns its stamp, which a new link changes.

        Raises `NotRegular` if it is no longer a regular file, and `OSError` if there is no such file or no room.
        """
        above, _, last = name.rpartition("/")
        self._spare.unlink(missing_ok=True)
        with opened_folder(self._folder, above) as here:
            os.link(last, self._spare, src_dir_fd=here, follow_symlinks=False)
        about = self._spare.lstat()
        if not stat.S_ISREG(about.st_mode):
            self._spare.unlink()
            raise NotRegular(f"{name} is {kind_of(about.st_mode)}")
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.by_name.get(name) == about.st_ino:  # rename(2) does nothing between two links of one file
            path.unlink(missing_ok=True)
        self._spare.rename(path)
        self.by_name[name] = about.st_ino
        return stamp_of(path.lstat())

    def remove(self, name: str) -> None:
        """Remove a link, and the folders that it leaves empty."""
        path = self.path(name)
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
        self.by_name.pop(name, None)
        with suppress(OSError):  # not empty
            while (path := path.parent) != self._place:
                path.rmdir()


class Journal:
    """What is in the bucket, on disk: what a container with the keys has uploaded is known to the next, in a rescue.

    Lines of JSON, `[name, stamp]`, or `[name]` of an object that was removed; the last one of a name counts.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> dict[str, Stamp]:
        """The stamp that each file had when it was uploaded. A line that was not written completely is left out."""
        stored: dict[str, Stamp] = {}
        with suppress(FileNotFoundError), self._file.open() as lines:
            for line in lines:
                with suppress(ValueError, TypeError):
                    name, *stamp = json.loads(line)
                    stored.pop(name, None)
                    if stamp:
                        stored[name] = Stamp(*stamp[0])
        return stored

    def stored(self, files: Iterable[tuple[str, Stamp]]) -> None:
        """Add what was uploaded."""
        self._add([name, stamp] for name, stamp in files)

    def removed(self, names: Iterable[str]) -> None:
        """Add what was removed."""
        self._add([name] for name in names)

    def _add(self, lines: Iterable[list[object]]) -> None:
        """On a full disk this is lost: a rescue then uploads these files again."""
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        if text:
            with suppress(OSError), self._file.open("a") as file:
                file.write(f"\n{text}")  # the last line may have been torn

"""A folder that the tool made and may replace: it has our list of its files, and no other files.

The list is `SHA256SUMS`, in the format of sha256sum(1); a marker beside it names the run. A folder that lacks one of
them, or holds a file that is not listed, is someone else's: it is neither replaced nor removed.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from toolkit.agent.checksums import MOST_BYTES, SUMS, line, parse_line
from toolkit.atomic_file import sha256_of
from toolkit.errors import Code, ToolkitError
from toolkit.run.plan.training_id import TrainingId

MARKER = ".toolkit-collected"


class OwnFolder:
    """The folder `path` for what was collected of `run`. It need not exist."""

    def __init__(self, path: Path, run: TrainingId) -> None:
        self.path, self.run = path, run

    def refuse_foreign(self) -> None:
        """Raise `ToolkitError` (C202) that names the folder, and the reason, if it may not be replaced."""
        if os.path.lexists(self.path) and (fault := self._fault(self.path)):
            raise self._foreign(fault)

    def listed(self) -> dict[str, str]:
        """SHA-256 by name of what an earlier collection put there; empty if there is none of this run."""
        is_folder = not self.path.is_symlink() and self.path.is_dir()
        return _sums(self.path) if is_folder and self._is_marked(self.path) else {}

    def holds(self, sums: Mapping[str, str]) -> bool:
        """Whether every file of `sums` is there and has its SHA-256; false for no file."""
        return bool(sums) and all(self._holds(name, sha256) for name, sha256 in sums.items())

    def replace(self, new: Path, old: Path, sums: Mapping[str, str]) -> None:
        """Move the folder `new` into its place, with the list of its files: each one's SHA-256 by name.

        What is in its place is moved to `old` first, on the same file system; `restore` moves it back if this fails.
        Raises `ToolkitError` (C202) if it is someone else's.
        """
        (new / SUMS).write_text("".join(f"{line(name, sha256)}\n" for name, sha256 in sums.items()), "utf-8")
        (new / MARKER).write_text(f"{self.run}\n")
        if os.path.lexists(self.path):
            self.path.rename(old)
            if fault := self._fault(old):  # checked where nobody else can change it
                raise self._foreign(fault)
        try:
            new.rename(self.path)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
            raise self._foreign("appeared meanwhile") from None

    def restore(self, old: Path) -> None:
        """Move back what `replace` moved away, if nothing took its place."""
        if os.path.lexists(old) and not os.path.lexists(self.path):
            old.rename(self.path)

    def discard(self, old: Path) -> None:
        """Remove an earlier collection of this run that was replaced. Raises `ToolkitError` (C202) if it is none."""
        if os.path.lexists(old):
            if fault := self._fault(old):
                raise self._foreign(fault, old)
            shutil.rmtree(old, ignore_errors=True)

    def _fault(self, at: Path) -> str:
        """Why `at` is not ours to replace; empty if it is."""
        if at.is_symlink() or not at.is_dir():
            return "is not a folder"
        if not self._is_marked(at):
            return f"was not created by toolkit collect for this run: it has no {MARKER} that names the run"
        known = _sums(at).keys() | {SUMS, MARKER}
        other = next((name for name in _files(at) if name not in known), None)
        return "" if other is None else f"holds {other!r}, which toolkit collect did not write"

    def _is_marked(self, at: Path) -> bool:
        marker, sums = at / MARKER, at / SUMS
        if any(file.is_symlink() or not file.is_file() for file in (marker, sums)):
            return False
        with marker.open("rb") as stream:
            return stream.read(100) == f"{self.run}\n".encode()

    def _holds(self, name: str, sha256: str) -> bool:
        file = self.path / name
        inside = ".." not in file.parts and file.is_relative_to(self.path)
        return inside and not file.is_symlink() and file.is_file() and sha256_of(file) == sha256

    def _foreign(self, why: str, at: Path | None = None) -> ToolkitError:
        return ToolkitError(
            Code.MODEL_CHECK,
            f"{at or self.path} {why}; it was not changed",
            hint="move it, or collect into another folder: toolkit collect --to FOLDER",
            context={"reason": "not ours"},
        )


def _sums(at: Path) -> dict[str, str]:
    """Each file's SHA-256; empty if the list is damaged."""
    with (at / SUMS).open("rb") as stream:
        text = stream.read(MOST_BYTES).decode("utf-8", "replace")
    try:
        return dict(parse_line(one) for one in text.split("\n") if one)
    except ValueError:
        return {}


def _files(at: Path) -> Iterator[str]:
    """Everything in a folder except folders, by relative path."""
    for folder, folders, files in os.walk(at):
        for name in (*files, *(one for one in folders if (Path(folder) / one).is_symlink())):
            yield (Path(folder) / name).relative_to(at).as_posix()

"""Where a collection's files arrive: a hidden folder beside its target, which becomes the target once it is complete.

It outlives a collection that is interrupted, killed or cut off: the next one continues with the files in it that have
their SHA-256. One collection at a time has it.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from toolkit.agent.checksums import digest_of
from toolkit.errors import Code, ToolkitError
from toolkit.file_lock import lock
from toolkit.run.finish.fetch import Named
from toolkit.run.finish.own_folder import OwnFolder
from toolkit.run.plan.training_id import run_of_label

_DOWNLOADS = "downloads-"
_MODE = 0o700


class Staging:
    """The folder of a collection into `own`, while this process has it; see `staged`."""

    def __init__(self, own: OwnFolder) -> None:
        self.path = staging_path(own)
        self.new = self.path / "new"
        """The files under their final names."""
        self._own, self._old = own, self.path / "old"
        own.restore(self._old)  # a collection was killed at its last step
        own.discard(self._old)
        self.new.mkdir(exist_ok=True)

    def downloads(self, label: str) -> Path:
        """The folder of a bulk download, for the containers with `label`. It is not created."""
        return self.path / f"{_DOWNLOADS}{label}"

    def earlier_labels(self) -> list[str]:
        """The labels of earlier downloads, whose containers may still be writing."""
        labels = (folder.name.removeprefix(_DOWNLOADS) for folder in self.path.glob(f"{_DOWNLOADS}*"))
        return [label for label in labels if run_of_label(label) == self._own.run]

    def kept(self, wanted: Sequence[Named], digests: Mapping[str, str]) -> dict[str, str]:
        """Put in place what arrived earlier, and was written by the run; returns each file's SHA-256 by its path.

        Nothing else stays in the folder: half a file, a file that is not wanted any more. What the target has already
        is linked or copied, and stays there.
        """
        collected, kept = self._own.listed(), dict[str, str]()
        downloads = list(self.path.glob(f"{_DOWNLOADS}*"))
        _keep_only(self.new, {name for name, _ in wanted})
        for name, item in wanted:
            sha256, target = digests.get(item.key, ""), self.new / name
            if not sha256:
                continue
            rest = item.key.removeprefix(f"{self._own.run}/")
            places = [target, *(at / rest for at in downloads)]
            if collected.get(name) == sha256:
                places.append(self._own.path / name)
            if arrived := next((one for one in places if _is(one, item.size, sha256)), None):
                _put(arrived, target, move=arrived.is_relative_to(self.path))
                kept[name] = sha256
        _keep_only(self.new, kept.keys())
        self._remove_downloads()
        return kept

    def finish(self, sums: Mapping[str, str]) -> None:
        """Replace the target by what has arrived, with each file's SHA-256 by name. Raises `ToolkitError` (C202)."""
        try:
            self._own.replace(self.new, self._old, sums)
        finally:
            self._own.restore(self._old)
        self._own.discard(self._old)
        self._remove_downloads()

    def close(self) -> None:
        """Remove the folder, unless something is in it. It gets another name first: others may wait for it."""
        kept = (file for place in ("new", "old", f"{_DOWNLOADS}*") for file in self.path.glob(f"{place}/**/*"))
        if all(file.is_dir() for file in kept):
            gone = self.path.with_name(f"{self.path.name}-{os.getpid()}")
            self.path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def _remove_downloads(self) -> None:
        for folder in self.path.glob(f"{_DOWNLOADS}*"):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def staged(own: OwnFolder, on_wait: Callable[[], None]) -> Iterator[Staging]:
    """The folder in which `own` is collected, for this process alone; `on_wait` is called once if another one has it.

    It is removed when it has become the target, or if nothing has arrived. Raises `ToolkitError` (C202) if something of
    its name is someone else's.
    """
    own.path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(staging_path(own), on_wait):
        staging = Staging(own)
        try:
            yield staging
        finally:
            staging.close()


def staging_path(own: OwnFolder) -> Path:
    """The folder's path; it is there only while, or after, something was collected in part."""
    return own.path.parent / f".toolkit-collect-{own.run}"


@contextmanager
def _locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """The folder `path`, created if it is not there, while no other process has it."""
    while True:
        try:
            path.mkdir(_MODE)
        except FileExistsError:
            _refuse_foreign(path)
        try:
            file = _lock_file(path)
        except FileNotFoundError:  # the one that had it has just removed it
            continue
        with file:
            lock(file, on_wait)
            if _is_still(file, path / "lock"):
                yield
                return


def _refuse_foreign(path: Path) -> None:
    """Raise `ToolkitError` (C202) if the folder is not one of ours."""
    try:
        about = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o022:
        raise ToolkitError(
            Code.MODEL_CHECK,
            f"{path} was not created by toolkit collect of this account; it was not changed",
            hint="move it, or collect into another folder: toolkit collect --to FOLDER",
            context={"reason": "not ours"},
        )


def _lock_file(path: Path) -> IO[bytes]:
    """The file whose lock is the folder's."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path / "lock", flags, 0o600), "r+b")


def _is_still(file: IO[bytes], path: Path) -> bool:
    """Whether `path` is the open file: the folder may have been removed while we waited for its lock."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False


def _is(file: Path, size: int, sha256: str) -> bool:
    try:
        return file.lstat().st_size == size and digest_of(file, md5=False).sha256 == sha256
    except OSError:  # it is not there, or no regular file
        return False


def _put(arrived: Path, target: Path, *, move: bool) -> None:
    if arrived == target:
        return
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if move:
        arrived.rename(target)
        return
    try:
        target.hardlink_to(arrived)
    except OSError:  # a file system without hard links
        shutil.copyfile(arrived, target)


def _keep_only(folder: Path, names: Set[str]) -> None:
    """Remove every other file, and folders that are empty then."""
    for at, _, files in os.walk(folder, topdown=False):
        for name in files:
            file = Path(at) / name
            if file.relative_to(folder).as_posix() not in names:
                file.unlink()
        if Path(at) != folder:
            with suppress(OSError):  # it is not empty
                Path(at).rmdir()

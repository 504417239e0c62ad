"""The submitted code: the folder beside the manifest, without what is not code and without any keys."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.atomic_file import sha256_of
from toolkit.errors import Code, Problem, ToolkitError
from toolkit.folder_files import FolderFile, files_of, shown
from toolkit.plural import counted, human_size, listed
from toolkit.run.plan.code_listing import Listed, code_digest, first_of
from toolkit.run.plan.code_rules import NO_CODE, Rules, read_rules
from toolkit.run.plan.code_secrets import NOTHING_KNOWN, OVERLAP, WINDOW, Known, is_manifest_with_keys, secrets_in_code

MAX_BYTES = 512 << 20
MAX_FILES = 20_000
LONGEST_NAME = 900
"""Bytes: an object key has at most 1024, and the run's folder precedes the name."""
_MOST_PROBLEMS, _MOST_SHOWN = 20, 8
_MANIFEST, _KEY_FILE, _MANIFEST_KEYS = "the manifest", "a key of this run", "a manifest with literal keys"
_LARGEST_MANIFEST = 64 << 10
_LARGEST_HELD, _MOST_HELD = 1 << 20, 64 << 20
"""Bytes of one file held in memory as it was read, and of all such files."""


@dataclass(frozen=True)
class CodeFile:
    """A submitted file: its path below the code folder, its location, its size in bytes, SHA-256, mode.

    `held` are its bytes as they were checked: a launch whose output is written beside the code (`| tee log`) submits
    what that file held then. None if it is too large; then it must not change until it is submitted.
    """

    name: str
    path: Path
    size: int
    sha256: str
    executable: bool
    held: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def content(self) -> bytes | Path:
        """Its bytes, or the file to read them from."""
        return self.path if self.held is None else self.held

    @property
    def listed(self) -> Listed:
        """Its entry in the run's list."""
        return Listed(self.name, self.sha256, self.executable)


@dataclass(frozen=True)
class SubmittedCode:
    """What is submitted of `folder`, and what was left out, by name and reason.

    `run`: the earlier run whose code it is, if it is one's; the folder is a copy then that does not stay.
    """

    folder: Path
    files: tuple[CodeFile, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    run: str = ""

    @property
    def source(self) -> str:
        """Where it is from: a run, or a folder's path."""
        return self.run or str(self.folder.resolve())

    @property
    def digest(self) -> str:
        """SHA-256 over paths, modes and contents."""
        return code_digest(file.listed for file in self.files)

    @property
    def size(self) -> int:
        """Total bytes."""
        return sum(file.size for file in self.files)

    @property
    def hidden(self) -> tuple[str, ...]:
        """The submitted files that `ls` would not show."""
        return tuple(file.name for file in self.files if any(part.startswith(".") for part in file.name.split("/")))

    def lines(self) -> Iterator[tuple[str, str]]:
        """Name and text of each fact to show before a run."""
        size = f"{counted(len(self.files), 'file')}, {human_size(self.size)}"
        yield "code", f"{size} of {self.run or self.folder}  sha256 {self.digest[:16]}"
        if self.hidden:
            yield "hidden", listed([shown(name) for name in self.hidden], _MOST_SHOWN)
        noteworthy = [f"{shown(name)} ({why})" for name, why in self.left_out if why not in (NO_CODE, _MANIFEST)]
        if noteworthy:
            yield "left out", listed(noteworthy, _MOST_SHOWN)


def read_code(
    folder: Path, manifest: Path, known: Known = NOTHING_KNOWN, kept_out: tuple[Path, ...] = ()
) -> SubmittedCode:
    """What is submitted of `folder`. The manifest is left out, as it may contain keys, and so are `kept_out`.

    Raises `ToolkitError` (C102) that names every file that must not, or cannot, be submitted; if there is no code; if
    it is too much to be code.
    """
    if not folder.is_dir():
        raise ToolkitError(Code.CODE, f"{folder}: no such code folder", hint="name one with --code FOLDER")
    return _Reading(folder, read_rules(folder), manifest, known, kept_out).read()


def read_submitted(folder: Path, run: str) -> SubmittedCode:
    """The code of an earlier run, fetched from its bucket and verified: all of it, whatever the rules are now."""
    files = [file for file in files_of(folder) if isinstance(file, FolderFile)]
    return SubmittedCode(folder, tuple(_code_file(file, sha256_of(file.path)) for file in files), run=run)


class _Reading:
    """One folder read; `read` is the workflow."""

    def __init__(self, folder: Path, rules: Rules, manifest: Path, known: Known, kept_out: tuple[Path, ...]) -> None:
        self._folder, self._rules, self._known = folder, rules, known
        apart = ((manifest, _MANIFEST), *((file, "the cluster file") for file in kept_out))
        self._apart = [(file.stat(), why) for file, why in apart if file.exists()]
        self._left_out: dict[str, str] = {}
        self._problems: list[Problem] = []
        self._may_hold = _MOST_HELD

    def read(self) -> SubmittedCode:
        found = [self._taken(file) for file in self._bounded()]
        files = tuple(file for file in found if file)
        if self._problems:
            raise self._refused()
        if not files:
            out = listed([f"{shown(name)} ({why})" for name, why in sorted(self._left_out.items())], _MOST_SHOWN)
            raise ToolkitError(
                Code.CODE,
                f"{self._folder} has no code{f' (left out: {out})' if out else ''}",
                hint="name the code folder with --code FOLDER, or include a file with `!NAME` in .toolkitignore",
            )
        return SubmittedCode(self._folder, files, tuple(sorted(self._left_out.items())))

    def _bounded(self) -> Iterator[FolderFile]:
        """The files that no rule leaves out; raises if they are too many or too large to be code."""
        total = count = 0
        for file in files_of(self._folder, self._skip):
            if isinstance(file, Problem):
                self._problems.append(file)
                continue
            if why := self._kept_apart(file):
                self._left_out[file.name] = why
                continue
            total, count = total + file.status.st_size, count + 1
            if total > MAX_BYTES or count > MAX_FILES:
                what = f"more than {MAX_BYTES >> 20} MiB" if total > MAX_BYTES else f"more than {MAX_FILES} files"
                raise ToolkitError(
                    Code.CODE,
                    f"{self._folder} has {what}, which is too much for code",
                    hint="put data into the data bucket, name the code folder with --code FOLDER, or exclude "
                    "files in .toolkitignore",
                )
            yield file

    def _skip(self, name: str, is_folder: bool) -> bool:
        why = self._rules.reason(name, is_folder=is_folder)
        if why:
            self._left_out[f"{name}/" if is_folder else name] = why
        return bool(why)

    def _kept_apart(self, file: FolderFile) -> str:
        for status, why in self._apart:
            if os.path.samestat(status, file.status):
                return why
        return _KEY_FILE if self._known.holds(file.status) else ""

    def _taken(self, file: FolderFile) -> CodeFile | None:
        """The file as it is submitted; None if it is left out or refused, which is recorded."""
        name = shown(file.name)
        asked_for = self._rules.submits(file.name)
        if len(file.name.encode()) > LONGEST_NAME:
            self._problems.append(Problem(f"{name[:60]}…: its path has more than {LONGEST_NAME} bytes"))
        if file.private and not asked_for:
            self._problems.append(
                Problem(f"{name}: readable only by its owner (mode {file.status.st_mode & 0o777:04o})")
            )
            return None
        try:
            sha256, findings, is_manifest, held = self._looked_into(file)
        except OSError as error:
            self._problems.append(Problem(f"{name}: {error.strerror}"))
            return None
        if is_manifest and not asked_for:
            self._left_out[file.name] = _MANIFEST_KEYS
            return None
        for what in findings:
            if not asked_for or what == "a key of this run":
                self._problems.append(Problem(f"{name}: holds {what}"))
        return _code_file(file, sha256, held)

    def _looked_into(self, file: FolderFile) -> tuple[str, list[str], bool, bytes | None]:
        """SHA-256 of a file's bytes, what in it looks like a key, whether it is a manifest with keys, and the bytes."""
        digest, findings, before = hashlib.sha256(), dict[str, None](), b""
        is_manifest = False
        held: bytearray | None = bytearray()
        with file.path.open("rb") as stream:
            while piece := stream.read(WINDOW):
                digest.update(piece)
                if held is not None:
                    held += piece
                    held = held if len(held) <= min(_LARGEST_HELD, self._may_hold) else None
                window = before + piece
                is_manifest |= file.status.st_size <= _LARGEST_MANIFEST and is_manifest_with_keys(window)
                findings |= dict.fromkeys(secrets_in_code(window, self._known.values))
                before = window[-OVERLAP:]
        self._may_hold -= 0 if held is None else len(held)
        return digest.hexdigest(), list(findings), is_manifest, None if held is None else bytes(held)

    def _refused(self) -> ToolkitError:
        return ToolkitError(
            Code.CODE,
            f"{self._folder} has files that must not be submitted",
            first_of(self._problems, _MOST_PROBLEMS),
            hint="move them, or exclude them in .toolkitignore; if a file is not secret, make it readable "
            "(chmod go+r) or include it there with `!NAME`; replace a link with a copy",
        )


def _code_file(file: FolderFile, sha256: str, held: bytes | None = None) -> CodeFile:
    size = file.status.st_size if held is None else len(held)
    return CodeFile(file.name, file.path, size, sha256, bool(file.status.st_mode & 0o100), held)

"""The submitted code as a list: every file's name, whether it may be executed, and the SHA-256 of its bytes.

The list's own SHA-256 is the run's `code_digest`. It is kept with the run's record on the operator's machine, to verify
what a bucket later presents as the submitted code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.atomic_file import write_whole
from toolkit.errors import Code, Problem, ToolkitError

_MODES = {True: "755", False: "644"}
_MOST_SHOWN = 20


@dataclass(frozen=True, order=True)
class Listed:
    """One file: its path below the code folder, the SHA-256 of its bytes, whether it may be executed."""

    name: str
    sha256: str
    executable: bool


def listing_text(files: Iterable[Listed]) -> str:
    """A line for each file, sorted by name; equal code gives equal text, wherever it is."""
    return "".join(f"{_MODES[file.executable]} {file.sha256} {json.dumps(file.name)}\n" for file in sorted(files))


def code_digest(files: Iterable[Listed]) -> str:
    """SHA-256 over paths, modes and contents. Pure."""
    return hashlib.sha256(listing_text(files).encode()).hexdigest()


def read_listing(text: str) -> tuple[Listed, ...]:
    """The files of a `listing_text`; raises `ValueError` if it is invalid."""
    found = []
    for line in text.splitlines():
        mode, sha256, name = line.split(" ", 2)
        found.append(Listed(json.loads(name), sha256, {"755": True, "644": False}[mode]))
    return tuple(found)


def save_listing(home: Path, training_id: str, files: Iterable[Listed]) -> None:
    """Keep the list beside the run's record."""
    write_whole(_file(home, training_id), listing_text(files).encode(), mode=0o600)


def load_listing(home: Path, training_id: str, digest: str) -> tuple[Listed, ...]:
    """The list of a run whose record has `digest`; empty if the run has none (an earlier version launched it).

    Raises `ToolkitError` (S100) if the list is missing, or does not match `digest`.
    """
    if not digest:
        return ()
    file = _file(home, training_id)
    try:
        files = read_listing(file.read_text("utf-8"))
    except (OSError, ValueError, KeyError):
        files = ()
    if code_digest(files) != digest:
        raise ToolkitError(
            Code.RESOURCES,
            f"{file}, the list of the code submitted for {training_id}, is missing or damaged",
            hint="the code in the bucket cannot be verified; launch again from your own code",
        )
    return files


def refuse_other_code(training_id: str, expected: Iterable[Listed], found: Mapping[str, str]) -> None:
    """Raise `ToolkitError` (C102) naming each file of a bucket (SHA-256 by name) that was not submitted so."""
    problems = [Problem(f"{name!r}: {what}") for name, what in _differences(expected, found)]
    if problems:
        raise ToolkitError(
            Code.CODE,
            f"the bucket's code of {training_id} is not what was submitted: it was not used",
            first_of(problems),
            hint="someone with write access to the bucket changed it: do not trust it; launch your own code again",
        )


def first_of(problems: Sequence[Problem], most: int = _MOST_SHOWN) -> tuple[Problem, ...]:
    """The first problems, and how many more there are."""
    more = len(problems) - most
    return (*problems[:most], *([Problem(f"and {more} more")] if more > 0 else []))


def _differences(expected: Iterable[Listed], found: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    submitted = {file.name: file.sha256 for file in expected}
    for name in sorted(submitted.keys() | found.keys()):
        if name not in found:
            yield name, "missing"
        elif name not in submitted:
            yield name, "never submitted"
        elif submitted[name] != found[name]:
            yield name, "changed"


def _file(home: Path, training_id: str) -> Path:
    return home / "runs" / f"{training_id}.code"

"""Records in the user's home, and beside them the runs' keys: private files."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path

from toolkit.atomic_file import write_once, write_whole
from toolkit.errors import Code, ToolkitError
from toolkit.paths import private_folder
from toolkit.run.plan.training_id import PREFIX, TrainingId, parse_beginning, parse_training_id
from toolkit.run.records.record import Record, read_record

_LONGEST = 100
_MAX_BYTES = 32 << 20
"""Of a record here; one in a bucket may have half of that."""
_KEY_BYTES = 32


class Records:
    """The records below `home`."""

    def __init__(self, home: Path) -> None:
        self._folder = private_folder(home / "runs")

    def save(self, record: Record) -> None:
        """Write the record atomically."""
        write_whole(self._file(record.training_id), json.dumps(asdict(record), indent=1).encode(), mode=0o600)

    def find(self, words: str) -> Record:
        """The record of the one run whose id begins with `words`; `training-` may be left out.

        Raises `ToolkitError` (C101) if there is none or more than one.
        """
        try:
            wanted = parse_beginning(words)
        except ValueError:
            wanted = words[:_LONGEST]  # not an ID, so neither a path nor a pattern
        ids = self.newest()
        found = [one for one in ids if one.startswith(wanted)] if wanted.startswith(PREFIX) else []
        if len(found) == 1:
            return self._load(found[0])
        if found:
            raise ToolkitError(Code.MANIFEST, f"{words} matches several runs: {', '.join(found)}")
        near = get_close_matches(wanted, ids, n=1)
        known = f"did you mean {near[0]}?" if near else f"the newest runs: {', '.join(ids[:5]) or 'none yet'}"
        raise ToolkitError(Code.MANIFEST, f"no run {words[:_LONGEST]} is recorded here", hint=known)

    def all(self) -> Iterator[Record]:
        """Every record that can be read, the newest first."""
        return (record for _, record in self.each() if isinstance(record, Record))

    def each(self) -> Iterator[tuple[TrainingId, Record | ToolkitError]]:
        """Every run that is recorded here, the newest first: its record, or why that cannot be read."""
        for training_id in self.newest():
            try:
                yield training_id, self._load(training_id)
            except ToolkitError as error:
                yield training_id, error

    def newest(self) -> list[TrainingId]:
        """The ids of the runs, newest first. Files with other names are not records."""
        found: list[tuple[float, TrainingId]] = []
        for file in self._folder.glob("*.json"):
            with suppress(ValueError, FileNotFoundError):
                found.append((file.stat().st_mtime, parse_training_id(file.stem)))
        return [name for _, name in sorted(found, reverse=True)]

    def _load(self, training_id: TrainingId) -> Record:
        file = self._file(training_id)
        try:
            with file.open("rb") as stream:
                record = read_record(stream.read(_MAX_BYTES))
            if record.training_id != training_id:
                raise ValueError
        except (OSError, ValueError):
            raise ToolkitError(
                Code.RESOURCES,
                f"{file} is not a record of {training_id} that this version can read",
                hint="it is damaged, or from another version of toolkit",
            ) from None
        return record

    def _file(self, training_id: TrainingId) -> Path:
        return self._folder / f"{parse_training_id(training_id)}.json"


def new_run_key(home: Path, run: TrainingId) -> str:
    """Create the key of a run, which authenticates its agents' objects in the bucket, or return the existing one."""
    write_once(_key_file(home, run), secrets.token_hex(_KEY_BYTES).encode(), mode=0o600)
    return run_key(home, run)


def run_key(home: Path, run: TrainingId) -> str:
    """The key of a run; empty if an earlier version, or someone else, launched it."""
    with suppress(OSError, ValueError):  # a damaged one authenticates nothing
        return _key_file(home, run).read_text("ascii").strip()
    return ""


def _key_file(home: Path, run: TrainingId) -> Path:
    return private_folder(home / "runs") / f"{parse_training_id(run)}.key"

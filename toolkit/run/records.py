"""The records in a person's home: a file per run, for its owner alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path

from toolkit.errors import Code, ToolkitError
from toolkit.places import private_folder
from toolkit.run.record import Record, read_record
from toolkit.whole_file import write_whole

_PREFIX = "training-"


class Records:
    """The records below `home`."""

    def __init__(self, home: Path) -> None:
        self._folder = private_folder(home / "runs")

    def save(self, record: Record) -> None:
        """Write the record in one move; a reader never sees half of it."""
        write_whole(self._file(record.training_id), json.dumps(asdict(record), indent=1).encode(), mode=0o600)

    def find(self, words: str) -> Record:
        """The record of the one run whose id begins with `words`; `training-` may be left out.

        Raises `ToolkitError` (C101) where there is none or more than one.
        """
        wanted = words if words.startswith(_PREFIX) else _PREFIX + words
        ids = self.newest()
        found = [wanted] if wanted in ids else [one for one in ids if one.startswith(wanted)]
        if len(found) == 1:
            return self._load(found[0])
        if found:
            raise ToolkitError(Code.MANIFEST, f"{words} is the beginning of several runs: {', '.join(found)}")
        near = get_close_matches(wanted, ids, n=1)
        known = f"did you mean {near[0]}?" if near else f"the newest runs: {', '.join(ids[:5]) or 'none yet'}"
        raise ToolkitError(Code.MANIFEST, f"no run {words} is recorded here", mend=known)

    def all(self) -> Iterator[Record]:
        """Every record that can be read, the newest first."""
        for training_id in self.newest():
            try:
                yield self._load(training_id)
            except ToolkitError:
                continue

    def newest(self) -> list[str]:
        """The ids of the runs, newest first."""
        files = [(file.stat().st_mtime, file.stem) for file in self._folder.glob(f"{_PREFIX}*.json")]
        return [name for _, name in sorted(files, reverse=True)]

    def _load(self, training_id: str) -> Record:
        file = self._file(training_id)
        try:
            return read_record(json.loads(file.read_text()))
        except (OSError, ValueError):
            raise ToolkitError(
                Code.RESOURCES,
                f"{file} is no record that this version can read",
                mend="it was damaged, or written by another version of toolkit",
            ) from None

    def _file(self, training_id: str) -> Path:
        return self._folder / f"{training_id}.json"

"""A run as its bucket has it: the final record and the whole output, when no keeper is there to be asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from toolkit.buckets.store import Store, StoredObject
from toolkit.errors import Code, ToolkitError
from toolkit.keeper.follow import parse_line
from toolkit.keeper.places import RUN_FOLDER
from toolkit.run.code import MAX_BYTES, MAX_FILES
from toolkit.run.code_listing import Listed, refuse_other_code
from toolkit.run.events import Line
from toolkit.run.record import Record, read_record


class StoredRun:
    """What `store` holds of a run in `bucket`."""

    def __init__(self, store: Store, bucket: str, training_id: str) -> None:
        self._store, self._bucket, self._training_id = store, bucket, training_id
        self._folder = f"{training_id}/{RUN_FOLDER}"

    def record(self) -> Record | None:
        """The final record; None where there is none. Raises `ToolkitError` where the store does not answer."""
        if not any(self._store.objects(self._bucket, f"{self._folder}/record.json")):
            return None
        try:
            return read_record(json.loads(self._store.read(self._bucket, f"{self._folder}/record.json")))
        except ValueError:
            return None

    def fetch_code(self, folder: Path, listing: Sequence[Listed] = ()) -> int:
        """Fetch the code that was submitted into `folder`; how many files there are.

        `listing` is the operator's own: what in the bucket differs is named, and nothing of it is used. Without one,
        of a run that an earlier version launched, the bucket is believed. Raises `ToolkitError`.
        """
        prefix = f"{self._training_id}/_submitted_code/"
        there = {item.key.removeprefix(prefix): item for item in self._bounded(prefix)}
        listed, found = {file.name: file for file in listing}, dict[str, str]()
        for name, item in there.items():
            if listing and name not in listed:
                found[name] = ""  # it is refused below, and not fetched
                continue
            if ".." in Path(name).parts or Path(name).is_absolute():
                raise ToolkitError(Code.CODE, f"object {item.key!r} would leave the folder; not fetched")
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            found[name] = self._store.get(self._bucket, item, file, lambda _: None)
            if listing:
                file.chmod(0o755 if listed[name].executable else 0o644)
        if listing:
            refuse_other_code(self._training_id, listing, found)
        return len(found)

    def _bounded(self, prefix: str) -> Iterator[StoredObject]:
        """The objects of the code; raises `ToolkitError` (C102) where they are more than any submitted code."""
        total = 0
        for count, item in enumerate(self._store.objects(self._bucket, prefix), 1):
            total += item.size
            if count > MAX_FILES or total > MAX_BYTES:
                raise ToolkitError(
                    Code.CODE, f"the bucket holds more below {prefix} than any submitted code; not fetched"
                )
            yield item

    def lines(self, offset: int = 0) -> Iterator[Line]:
        """The output from byte `offset` on; nothing where none is stored."""
        rest, position = b"", offset
        try:
            for piece in self._store.pieces(self._bucket, f"{self._folder}/output.log", offset):
                *whole, rest = (rest + piece).split(b"\n")
                for line in whole:
                    position += len(line) + 1
                    event = parse_line(line, position)
                    yield Line(event["line"], event["at"], position)
        except ToolkitError as error:
            if error.context.get("reason") not in ("absent", "NoSuchKey", "404", "InvalidRange", "416"):
                raise

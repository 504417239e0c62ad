"""Finds a run's public record: in its bucket, or in a file that someone handed over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.agent.run_document import NAME
from toolkit.errors import Code, Problem, ToolkitError
from toolkit.run.document.compare import ELSEWHERE
from toolkit.run.document.form import MAX_BYTES
from toolkit.run.document.model import RunDocument, read_document
from toolkit.run.document.places import Place, bounded
from toolkit.run.records.record import plain_json

_ABSENT_HINT = (
    "a run that never started has none, and those of earlier versions; if results are still on its hosts: "
    "toolkit rescue {run}"
)


@dataclass(frozen=True)
class FoundRecord:
    """A record: validated, as plain values, as bytes, and where it was found."""

    document: RunDocument
    values: dict[str, Any]
    data: bytes
    source: str


def names_a_file(words: str) -> bool:
    """Whether `words` is a file's name rather than a training ID."""
    return "/" in words or words.endswith(".json") or Path(words).is_file()


def in_file(file: Path) -> FoundRecord:
    """The record in a file. Raises `ToolkitError`: C101 if it cannot be read, C202 if it is no record."""
    try:
        with file.open("rb") as stream:
            data = bounded(stream.read(MAX_BYTES + 1), str(file), MAX_BYTES)
    except OSError as error:
        raise ToolkitError(Code.MANIFEST, f"{file}: {error.strerror}") from None
    return _read(data, str(file))


def in_place(place: Place, run: str) -> FoundRecord:
    """The record of `run` beside its results; if there is one in `_run`, its program wrote a file of that name.

    Raises `ToolkitError`: S302 if there is none, C202 if it is no record of this run.
    """
    for path in (ELSEWHERE, NAME):
        if (data := place.read(path, MAX_BYTES)) is not None:
            found = _read(data, f"{place.name}/{path}")
            if found.document.run.id != run:
                raise ToolkitError(Code.MODEL_CHECK, f"{found.source} is of another run, {found.document.run.id}")
            return found
    raise ToolkitError(Code.LOADING_DATA, f"{place.name} has no {NAME}", hint=_ABSENT_HINT.format(run=run))


def _read(data: bytes, source: str) -> FoundRecord:
    try:
        return FoundRecord(read_document(data), json.loads(plain_json(data)), data, source)
    except ValueError as error:
        problems = tuple(map(Problem, str(error).split("\n")))
        hint = "it was changed, or another version of toolkit wrote it: toolkit record schema"
        raise ToolkitError(Code.MODEL_CHECK, f"{source} is not a record of a run", problems, hint=hint) from None

"""A person's own data as a request: JSON as TensorFlow Serving takes it, numpy's .npy, or a .csv of numbers."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import Code, Place, Problem, ToolkitError
from toolkit.run.in_container.serving.frames import MOST_BODY
from toolkit.run.in_container.serving.service import ARRAY


@dataclass(frozen=True)
class Sample:
    """`method` and `body` of the request."""

    method: str
    body: bytes


def read_sample(path: Path) -> Sample:
    """The file as a request. Raises `ToolkitError` (C101) if it cannot be one."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BODY + 1)
    except OSError as error:
        raise ToolkitError(Code.MANIFEST, f"{path}: {error.strerror}") from None
    kind = path.suffix.lower()
    if kind == ".csv":
        data = json.dumps({"instances": _rows(path, data)}).encode()
    elif kind not in (".json", ".npy"):
        raise ToolkitError(
            Code.MANIFEST,
            f"{path} is not a sample",
            hint='a .json such as {"instances": [[1.0, 2.0]]}, a .npy or a .csv',
        )
    if len(data) > MOST_BODY:
        raise ToolkitError(
            Code.MANIFEST, f"{path} has more than {MOST_BODY} bytes", hint="score a part of it at a time"
        )
    return Sample(ARRAY if kind == ".npy" else "POST", data)


def _rows(path: Path, data: bytes) -> list[list[float]]:
    """A list of numbers for each line; a first line without numbers is a header."""
    lines = [row for row in csv.reader(io.StringIO(data.decode("utf-8-sig", "replace"), newline="")) if row]
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append([_number(cell) for cell in line])
        except ValueError:
            if number > 1:
                raise ToolkitError(
                    Code.MANIFEST,
                    "a .csv to score has only numbers below its header",
                    (Problem(f"{line!r:.100}", Place(str(path), number)),),
                    hint="write what has other values as JSON",
                ) from None
    return rows


def _number(cell: str) -> float:
    try:
        return int(cell)
    except ValueError:
        return float(cell)

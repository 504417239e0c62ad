"""The text of a file in the code folder: of limited size, never from outside, decoded as pip decodes it."""

from __future__ import annotations

import codecs
import locale
import re
import tomllib
from pathlib import Path
from typing import Any

from toolkit.errors import Code, Problem, ToolkitError
from toolkit.user_packages.model import place_at

MAX_BYTES = 8 << 20
"""Locks of large projects have a few MB; nobody writes more by hand."""
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, which is a prefix of it
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
"""PEP 263's, which pip looks for in the first two lines."""


class UnreadableError(Exception):
    """Why a file cannot be read, and the line if it is known, else 0."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(why)
        self.why, self.line = why, line


def read_text(file: Path, code: Path) -> str:
    """The text of `file`; raises `UnreadableError` if it is missing, not text, too large, or outside `code`."""
    try:
        if not file.resolve().is_relative_to(code.resolve()):
            raise UnreadableError(f"{file} is outside the code folder, and only that is submitted")
        if not file.is_file():
            raise UnreadableError(f"{file} is {'not a file' if file.exists() else 'missing'}")
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:  # a NUL in the name; a loop of links
        raise UnreadableError(f"{file}: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"{file} is larger than {MAX_BYTES >> 20} MiB; is it the right file?")
    return decode(data)


def decode(data: bytes) -> str:
    """Like pip for a requirement file: by its byte order mark, by a coding line, as UTF-8, in the locale's encoding.

    Raises `UnreadableError` with the line.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding)
    for first in data.split(b"\n")[:2]:
        if first.startswith(b"#") and (match := _CODING.search(first)):
            return _decoded(data, match[1].decode("ascii", "replace"))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = _decoded(data, locale.getpreferredencoding(False))
    if "\0" in text:
        line = text.partition("\0")[0].count("\n") + 1
        raise UnreadableError("a NUL byte; UTF-16 without a byte order mark? save it as UTF-8", line)
    return text


def read_toml(file: Path, code: Path) -> tuple[dict[str, Any], str]:
    """A TOML file as values and text; raises `ToolkitError` (C102)."""
    text = read_whole(file, code)
    try:
        return tomllib.loads(text), text
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ToolkitError(Code.CODE, f"{file} is not valid TOML: {error}") from None


def read_whole(file: Path, code: Path) -> str:
    """As `read_text`, for a file that is not included by another one: raises `ToolkitError` (C102)."""
    try:
        return read_text(file, code)
    except UnreadableError as error:
        problem, hint = Problem(error.why, place_at(file, error.line)), "save it as UTF-8 text in the code folder"
        raise ToolkitError(Code.CODE, f"{file} cannot be read", (problem,), hint=hint) from None


def line_of(text: str, *needles: str) -> int:
    """The number of the first line with all `needles`, else 0: TOML's values have no positions."""
    for number, line in enumerate(text.splitlines(), 1):
        if all(needle in line for needle in needles):
            return number
    return 0


def line_of_entry(text: str, name: str) -> int:
    """The number of the line where TOML's entry `name` begins (`name = …`, `[x.name]`), or that contains the name."""
    quoted = rf"[\"']?{re.escape(name)}[\"']?"
    begins = re.compile(rf"\s*(?:{quoted}\s*[=.]|\[[^]]*\.\s*{quoted}\s*\])")
    lines = enumerate(text.splitlines(), 1)
    return next((at for at, line in lines if begins.match(line)), line_of(text, name))


def line_at(text: str, number: int) -> str:
    """That line of `text`; empty for 0, an unknown line."""
    return text.splitlines()[number - 1] if number else ""


def table(value: Any) -> dict[str, Any]:
    """`value` if it is a table; else an empty one, as for a missing key."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """`value` if it is a list; else an empty one."""
    return value if isinstance(value, list) else []


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, "replace").count("\n") + 1
        raise UnreadableError(f"not {encoding} text: {error.reason}", line) from None
    except (LookupError, UnicodeError, ValueError) as error:
        raise UnreadableError(f"its coding line names `{encoding}`: {error}", 1) from None

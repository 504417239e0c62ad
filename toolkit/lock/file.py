"""A lock's file: one line for each file of an image, so that a diff shows what changed. It is also valid YAML.

It is read line by line: `build` reads it each time, and a YAML parser takes 50 times as long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TypeVar

from toolkit.atomic_file import write_whole
from toolkit.errors import Code, Place, Problem, ToolkitError
from toolkit.lock.model import DebPin, Lock, WheelPin
from toolkit.lock.staleness import LOCK_FORMAT

Pin = TypeVar("Pin", DebPin, WheelPin)

_HEADER = """# Written by `toolkit lock`; do not edit: change the recipe, then run it again.
# {title}
# debs: name version architecture archive path sha256 size
# wheels: name version file sha256 size
"""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGITS = re.compile(r"[0-9]{1,15}")
_HEAD = ("lock", "asked", "template")
_ITEM = "  - "


def lock_text(lock: Lock, title: str) -> str:
    """The file's text: the same for equal locks, whatever the order of their pins."""
    lines = [f"lock: {LOCK_FORMAT}", f"asked: {lock.asked}", f"template: {lock.template}"]
    sections: dict[str, list[DebPin] | list[WheelPin]] = {"debs": sorted(lock.debs), "wheels": sorted(lock.wheels)}
    for name, pins in sections.items():
        lines.append(f"{name}:" if pins else f"{name}: []")
        lines += [_ITEM + " ".join(map(str, astuple(pin))) for pin in pins]
    return _HEADER.format(title=" ".join(title.split())) + "\n".join(lines) + "\n"


def write_lock(lock: Lock, file: Path, title: str) -> None:
    """Write `lock` to `file` atomically."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, lock_text(lock, title).encode())


def read_lock(file: Path) -> Lock:
    """Read `file`; raises `ToolkitError` (S103) if it is missing or, with its position, for an invalid line."""
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        raise ToolkitError(Code.IMAGE, f"{file} is missing", hint="toolkit lock") from None
    except UnicodeDecodeError:
        raise ToolkitError(Code.IMAGE, f"{file} is not a text file", hint="toolkit lock --update") from None
    return parse_lock(text, str(file))


def parse_lock(text: str, file: str) -> Lock:
    """The lock in `text`; errors call it `file`. Raises `ToolkitError` (S103)."""
    reader = _Reader(file, text.splitlines())
    head = dict(zip(_HEAD, (reader.field(name) for name in _HEAD), strict=True))
    if head["lock"] != str(LOCK_FORMAT):
        raise reader.wrong(f"format {head['lock']}; this version of the tool reads {LOCK_FORMAT}", back=3)
    for back, name in ((2, "asked"), (1, "template")):
        if not _SHA256.fullmatch(head[name]):
            raise reader.wrong(f"`{name}` must be a SHA-256 (64 hexadecimal digits)", back=back)
    debs = reader.section("debs", 7, _deb)
    wheels = reader.section("wheels", 5, _wheel)
    reader.end()
    return Lock(head["asked"], head["template"], debs, wheels)


class _Reader:
    """The relevant lines, one after the other, each with its number for errors."""

    def __init__(self, file: str, lines: Sequence[str]) -> None:
        self._file, self._all = file, lines
        self._lines = [(at, line) for at, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
        self._next = 0

    def field(self, name: str) -> str:
        """The value of the line `name: value`, which must come next."""
        line = self._peek()
        if not line.startswith(f"{name}: "):
            raise self.wrong(f"expected `{name}: …`")
        self._next += 1
        return line.removeprefix(f"{name}: ").strip()

    def section(self, name: str, count: int, pin: Callable[[list[str]], Pin | str]) -> tuple[Pin, ...]:
        """The pins below `name:`, in the lock's own order; `pin` returns what is wrong with a line's words."""
        if self._peek() not in (f"{name}:", f"{name}: []"):
            raise self.wrong(f"expected `{name}:`")
        self._next += 1
        found: dict[tuple[str, ...], Pin] = {}
        while self._peek().startswith(_ITEM):
            words = self._peek().removeprefix(_ITEM).split()
            value = pin(words) if len(words) == count else f"expected {count} words, found {len(words)}"
            if isinstance(value, str):
                raise self.wrong(value)
            key = (value.name, value.architecture) if isinstance(value, DebPin) else (value.name,)
            if key in found:
                raise self.wrong(f"{value.name} is given twice")
            found[key] = value
            self._next += 1
        return tuple(sorted(found.values()))

    def end(self) -> None:
        """Nothing may follow."""
        if self._next < len(self._lines):
            raise self.wrong("expected nothing more, or a line that begins with `  - `")

    def wrong(self, what: str, back: int = 0) -> ToolkitError:
        """The error, at the next line or at one `back` lines before it."""
        at = self._lines[self._next - back][0] if self._next - back < len(self._lines) else len(self._all) + 1
        line = self._all[at - 1] if at <= len(self._all) else ""
        column = len(line) - len(line.lstrip()) + 1
        problem = Problem(what, Place(self._file, at, column), source_line=line)
        return ToolkitError(
            Code.IMAGE, f"{self._file} has 1 problem", (problem,), hint="toolkit lock --update rewrites it"
        )

    def _peek(self) -> str:
        return self._lines[self._next][1].rstrip() if self._next < len(self._lines) else ""


def _deb(words: list[str]) -> DebPin | str:
    name, version, architecture, archive, path, sha256, size = words
    if path.startswith("/") or ".." in path.split("/"):
        return "a package's path must stay below its archive"
    wrong = _hash_or_size(sha256, size)
    return wrong or DebPin(name, version, architecture, archive, path, sha256, int(size))


def _wheel(words: list[str]) -> WheelPin | str:
    name, version, file, sha256, size = words
    if "/" in file:
        return "a wheel is given by its file name only"
    return _hash_or_size(sha256, size) or WheelPin(name, version, file, sha256, int(size))


def _hash_or_size(sha256: str, size: str) -> str:
    if not _SHA256.fullmatch(sha256):
        return "the second to last word must be a SHA-256 (64 hexadecimal digits)"
    return "" if _DIGITS.fullmatch(size) else "the last word must be the size in bytes"

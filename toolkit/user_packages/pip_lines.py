"""The lines of a requirement file as pip reads them: joined, without comments, options separated. Pure.

The rules are those of pip's `_internal/req/req_file.py`, and the tests compare with it; it is not a public interface,
and expands `${VAR}` from the environment, which must not get into a lock.
"""

from __future__ import annotations

import optparse
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

_COMMENT = re.compile(r"(^|\s+)#.*$")
VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
"""What pip expands from the environment if it is set there."""
_SEVERAL = (
    *(("-r", "--requirement"), ("-c", "--constraint"), ("-e", "--editable"), ("-f", "--find-links")),
    *(("-i", "--index-url", "--pypi-url"), ("--extra-index-url",), ("--trusted-host",), ("--use-feature",)),
    *(("--no-binary",), ("--only-binary",), ("--all-releases",), ("--only-final",)),
    *(("--hash",), ("-C", "--config-settings", "--config-setting"), ("--global-option",), ("--install-option",)),
)
_FLAGS = ("--no-index", "--prefer-binary", "--require-hashes", "--no-require-hashes", "--pre")


class OptionError(Exception):
    """What is wrong with a line's options."""


@dataclass(frozen=True)
class PipLine:
    """A whole line (`text`): its requirement, empty if it has none, and its options' values by long name."""

    text: str
    requirement: str
    options: dict[str, tuple[str, ...]]


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """The non-empty lines with their numbers: joined where they end in a backslash, without comments."""
    for number, line in _joined(text):
        stripped = _COMMENT.sub("", line).strip()
        if stripped:
            yield number, stripped


def parse_line(line: str) -> PipLine:
    """The line's requirement and options; raises `OptionError` for an option that pip does not know."""
    words = line.split(" ")
    count = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    try:
        rest = shlex.split(" ".join(words[count:]))
    except ValueError as error:
        raise OptionError(f"unterminated options: {error}") from None
    values, left = _parser().parse_args(rest)
    if left:
        raise OptionError(f"`{left[0]}` after the options: pip ignores it")
    given = {f"--{name.replace('_', '-')}": value for name, value in vars(values).items() if value}
    options = {name: tuple(value) if isinstance(value, list) else () for name, value in given.items()}
    return PipLine(line, " ".join(words[:count]), options)


def _joined(text: str) -> Iterator[tuple[int, str]]:
    first, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        comment = bool(_COMMENT.match(line))
        if line.endswith("\\") and not comment:
            first = first if parts else number
            parts.append(line.strip("\\"))
            continue
        # The blank makes it a comment, whatever it is joined to.
        whole = f" {line}" if comment else line
        yield (first, "".join([*parts, whole])) if parts else (number, whole)
        parts = []
    if parts:
        yield first, "".join(parts)


class _Parser(optparse.OptionParser):
    """optparse, as in pip, so that `-rother.txt`, `--req=other.txt` and the like are read the same way."""

    def error(self, msg: str) -> NoReturn:
        raise OptionError(msg)


def _parser() -> _Parser:
    parser = _Parser(add_help_option=False)
    for names in _SEVERAL:
        destination = next(name for name in names if name.startswith("--"))[2:]
        parser.add_option(*names, dest=destination.replace("-", "_"), action="append")
    for name in _FLAGS:
        parser.add_option(name, action="store_true")
    return parser

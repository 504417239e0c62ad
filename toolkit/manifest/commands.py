"""Splitting `a ; b` into commands, as a shell would: quotes and backslashes keep a `;` from being one.

Each command is later given whole to a shell inside the container, so pipes, `&&` and variables work in it.
What cannot be split without a shell's grammar (loops, groups, here-documents) is refused rather than cut wrongly.
(The one well-known parser of it for Python, bashlex, is under the GPL and has no release since 2023.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from toolkit.manifest.launchers import LAUNCHERS, Front, read_front

MAX_STEPS = 100
_SCRIPT = "put it in a script and name the script"
_RESERVED = r"if|then|for|while|until|do|case|select|function"
# A reserved word counts where a command may begin: at the start, behind an operator, behind `!` and `time`.
_COMPOUND = re.compile(rf"(?:^|[|&!]|\btime\s)\s*(?:(?:{_RESERVED})(?![\w.-])|\{{\s)")
_BACKGROUND = re.compile(r"(?<![&>|])&(?![&>])")
_OPERATOR = re.compile(r"&&|\|\|?")
# Anywhere but at the very beginning, where it is read: behind assignments, operators, `time` and the like.
_LAUNCHER = re.compile(
    rf"(?:(?:^|&&|\|\|?|!)\s*|\b(?:time|exec|nohup|env)\s+)(?:\w+=\S*\s+)*(?:\S*/)?({'|'.join(LAUNCHERS)})(?![\w.-])"
)


@dataclass(frozen=True)
class Command:
    """One command: its text without what stood in front of it, that front, and the operators that bind its parts."""

    text: str
    front: Front | None
    operators: tuple[str, ...]


def read_commands(text: str) -> tuple[Command, ...]:
    """The commands of `text`, in order, split at `;` and line ends; raises `ValueError` saying what is wrong."""
    bare = _without_quoted(text)
    commands, start = [], 0
    for end in [index for index, character in enumerate(bare) if character in ";\n"] + [len(text)]:
        command, skeleton = _trimmed(text[start:end], bare[start:end])
        start = end + 1
        if command:
            commands.append(_read_command(command, skeleton))
    if not commands:
        raise ValueError("empty; give the command that trains")
    if len(commands) > MAX_STEPS:
        raise ValueError(f"{len(commands)} commands, and a run has {MAX_STEPS} at most: {_SCRIPT}")
    return tuple(commands)


def has_lines(text: str) -> bool:
    """Whether commands of `text`, which was checked, stand on lines of their own."""
    return len([line for line in _without_quoted(text).split("\n") if line.strip(" \t;")]) > 1


def _read_command(text: str, bare: str) -> Command:
    front = read_front(text, bare)
    length = front.length if front else 0
    command, skeleton = _trimmed(text[length:], bare[length:])
    _refuse_what_cannot_be_split(command, skeleton.strip())
    operators = tuple(_OPERATOR.findall(skeleton))
    if front and front.launcher and operators:
        raise ValueError(
            f"`{text[:40]}`: behind {front.launcher}, what `{operators[0]}` binds would run once; "
            "give both as execution.steps, each with its `ranks`"
        )
    return Command(command, front, operators)


def _without_quoted(text: str) -> str:
    """`text` with each quoted or escaped character made a `q`: of the same length, and what is left is grammar.

    Raises `ValueError` for a quote that stays open, and for substitutions, which hold commands of their own.
    """
    bare, quote, escaped = [], "", False
    for index, character in enumerate(text):
        if character == "\x00":
            raise ValueError("a command holds a NUL byte")
        if escaped:
            escaped = False
            bare.append("q")
            continue
        if quote != "'" and text.startswith(("$(", "`", "${"), index) and not _is_plain_variable(text, index):
            raise ValueError(f"`{text[index : index + 2]}` is not read here: {_SCRIPT}")
        if character == "#" and not quote and (index == 0 or text[index - 1] in " \t\n;&|"):
            raise ValueError("a comment (#) is not read here: leave it out")
        escaped = character == "\\" and quote != "'"
        closes = character == quote
        bare.append("q" if quote or escaped or character in "'\"" else character)
        if closes:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
    if quote:
        raise ValueError(f"a quote {quote} is opened and never closed")
    if escaped:
        raise ValueError("the command ends in a backslash")
    return "".join(bare)


_PLAIN_VARIABLE = re.compile(r"\$\{\w+\}")


def _is_plain_variable(text: str, index: int) -> bool:
    """Whether `${` at `index` is a name in braces and no more: its other forms may hold a `;`."""
    return _PLAIN_VARIABLE.match(text, index) is not None


def _trimmed(piece: str, bare: str) -> tuple[str, str]:
    """Both without the spaces around, but for one that is escaped (a `q` in `bare`): `a\\ ` ends in a space."""
    start, end = len(bare) - len(bare.lstrip()), len(bare.rstrip())
    return piece[start:end], bare[start:end]


def _refuse_what_cannot_be_split(command: str, skeleton: str) -> None:
    if match := _LAUNCHER.search(skeleton):
        raise ValueError(f"`{command[:40]}`: {match[1]} may stand at a command's beginning alone; the tool starts it")
    for sign in ("<<", "(", ")"):
        if sign in skeleton:
            raise ValueError(f"`{command[:40]}`: `{sign}` is not read here: {_SCRIPT}")
    if skeleton.endswith(("&&", "|")) or skeleton.startswith(("&&", "|")):
        raise ValueError(f"`{command[:40]}`: a command does not go on over the end of its line here: {_SCRIPT}")
    if _BACKGROUND.search(skeleton):
        raise ValueError(f"`{command[:40]}`: a background job (&) is not read here: {_SCRIPT}")
    if _COMPOUND.search(skeleton):
        raise ValueError(f"`{command[:40]}`: loops, conditions and groups are not read here: {_SCRIPT}")

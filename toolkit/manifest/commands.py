"""Splitting `a ; b` into commands, as a shell would: quotes and backslashes keep a `;` from being one.

Each command is later given whole to a shell inside the container, so pipes, `&&` and variables work in it.
What cannot be split without a shell's grammar (loops, here-documents) is refused rather than cut wrongly.
"""

from __future__ import annotations

import re

_COMPOUND = re.compile(r"^(if|for|while|until|case|select|function|mpirun|mpiexec|ddlrun)\b|^[({]|^-")
_MEANING = {
    "mpirun": "the tool starts mpirun by itself",
    "mpiexec": "the tool starts mpirun by itself",
    "ddlrun": "the tool starts mpirun by itself",
    "-": "mpirun flags in front of the command are not read yet",
}


def split_commands(text: str) -> tuple[str, ...]:
    """The commands of `text`, in order, split at `;` and line ends; raises `ValueError` saying what is wrong."""
    if "\x00" in text:
        raise ValueError("a command holds a NUL byte")
    pieces, current, quote, skip = [], "", "", False
    for index, character in enumerate(text):
        if skip:
            current, skip = current + character, False
            continue
        if character == "\\" and quote != "'":
            skip = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in ";\n":
            pieces.append(current)
            current = ""
            continue
        elif text.startswith(("<<", "$(", "`"), index):
            raise ValueError(f"`{text[index : index + 2]}` is not read here: put it in a script and name the script")
        current += character
    if quote:
        raise ValueError(f"a quote {quote} is opened and never closed")
    if skip:
        raise ValueError("the command ends in a backslash")
    commands = tuple(piece.strip() for piece in [*pieces, current] if piece.strip())
    if not commands:
        raise ValueError("empty; give the command that trains")
    for command in commands:
        _refuse_what_cannot_be_split(command)
    return commands


def _refuse_what_cannot_be_split(command: str) -> None:
    match = _COMPOUND.match(command)
    if match:
        why = _MEANING.get(match[0], "put it in a script and name the script")
        raise ValueError(f"`{command[:40]}`: a command that begins with `{match[0]}` is not read here: {why}")

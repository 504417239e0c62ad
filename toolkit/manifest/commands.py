"""Splitting `a ; b` into commands, as a shell would: quotes and backslashes keep a `;` from being one.

Each command is later given whole to a shell inside the container, so pipes, `&&` and variables work in it.
What cannot be split without a shell's grammar (loops, groups, here-documents) is refused rather than cut wrongly.
"""

from __future__ import annotations

import re

_SCRIPT = "put it in a script and name the script"
_RESERVED = r"if|then|for|while|until|do|case|select|function"
# A reserved word counts where a command may begin: at the start, behind an operator, behind `!` and `time`.
_COMPOUND = re.compile(rf"(?:^|[|&!]|\btime\s)\s*(?:(?:{_RESERVED})(?![\w.-])|\{{\s)")
_BACKGROUND = re.compile(r"(?<![&>|])&(?![&>])")
_LAUNCHER = re.compile(r"(?:\w+=\S*\s+)*(?:\S*/)?(mpirun|mpiexec|ddlrun)(?![\w.-])")


def split_commands(text: str) -> tuple[str, ...]:
    """The commands of `text`, in order, split at `;` and line ends; raises `ValueError` saying what is wrong."""
    bare = _without_quoted(text)
    commands, start = [], 0
    for end in [index for index, character in enumerate(bare) if character in ";\n"] + [len(text)]:
        command, skeleton = _trimmed(text[start:end]), bare[start:end].strip()
        start = end + 1
        if command:
            _refuse_what_cannot_be_split(command, skeleton)
            commands.append(command)
    if not commands:
        raise ValueError("empty; give the command that trains")
    return tuple(commands)


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


def _is_plain_variable(text: str, index: int) -> bool:
    """Whether `${` at `index` is a name in braces and no more: its other forms may hold a `;`."""
    return re.compile(r"\$\{\w+\}").match(text, index) is not None


def _trimmed(piece: str) -> str:
    """Without the spaces around, but for one that is escaped: `a\\ ` ends in a space."""
    stripped = piece.strip()
    backslashes = len(stripped) - len(stripped.rstrip("\\"))
    return stripped + " " if backslashes % 2 else stripped


def _refuse_what_cannot_be_split(command: str, skeleton: str) -> None:
    if _LAUNCHER.match(command):
        raise ValueError(f"`{command[:40]}`: the tool starts mpirun by itself; give the command alone")
    if skeleton.startswith("-"):
        raise ValueError(f"`{command[:40]}`: mpirun flags in front of the command are not read yet")
    for sign in ("<<", "(", ")"):
        if sign in skeleton:
            raise ValueError(f"`{command[:40]}`: `{sign}` is not read here: {_SCRIPT}")
    if skeleton.endswith(("&&", "|")) or skeleton.startswith(("&&", "|")):
        raise ValueError(f"`{command[:40]}`: a command does not go on over the end of its line here: {_SCRIPT}")
    if _BACKGROUND.search(skeleton):
        raise ValueError(f"`{command[:40]}`: a background job (&) is not read here: {_SCRIPT}")
    if _COMPOUND.search(skeleton):
        raise ValueError(f"`{command[:40]}`: loops, conditions and groups are not read here: {_SCRIPT}")

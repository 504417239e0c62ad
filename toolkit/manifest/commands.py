"""Splitting `a ; b` into commands, as bash would: quotes and backslashes keep a `;` from being one.

Each command is later given whole to bash inside the container, so pipes, `&&` and variables work in it. What cannot be
read without a whole shell's grammar, and what would not leave a status of its own, is refused with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.manifest.exit_status import judgeable
from toolkit.manifest.launchers import Front, read_front
from toolkit.manifest.shell import AndOr, read_script
from toolkit.manifest.words import SCRIPT

MAX_STEPS = 100


@dataclass(frozen=True)
class Command:
    """One command: its text without what stood in front of it, that front, and the operators that bind its parts."""

    text: str
    front: Front | None
    operators: tuple[str, ...]


def read_commands(text: str) -> tuple[Command, ...]:
    """The commands of `text`, in order, split at `;` and line ends; raises `ValueError` saying what is wrong."""
    lists = read_script(text)
    if not lists:
        raise ValueError("empty; give the command that trains")
    if len(lists) > MAX_STEPS:
        raise ValueError(f"{len(lists)} commands, and a run has {MAX_STEPS} at most: {SCRIPT}")
    return tuple(_read_command(text, one) for one in lists)


def has_lines(text: str) -> bool:
    """Whether commands of `text`, which was checked, stand on lines of their own."""
    return len({one.line for one in read_script(text)}) > 1


def _read_command(text: str, one: AndOr) -> Command:
    front = read_front(text[one.start : one.end], _bare(text, one))
    command = text[one.start + (front.length if front else 0) : one.end].lstrip()
    operators = _operators(one)
    if front and front.launcher and operators:
        raise ValueError(
            f"`{text[one.start : one.end][:40]}`: behind {front.launcher}, what `{operators[0]}` binds would run once; "
            "give both as execution.steps, each with its `ranks`"
        )
    judgeable(command)
    return Command(command, front, operators)


def _bare(text: str, one: AndOr) -> str:
    """The command's text, its first part's words made `q`: no blank and no operator that is left was quoted."""
    bare = list(text)
    first = one.pipelines[0].parts[0]
    for word in (*first.assignments, *first.words):
        bare[word.start : word.end] = ["q"] * (word.end - word.start)
    return "".join(bare[one.start : one.end])


def _operators(one: AndOr) -> tuple[str, ...]:
    """All operators in their order."""
    found = list(one.pipelines[0].joints)
    for operator, pipeline in zip(one.operators, one.pipelines[1:], strict=True):
        found += [operator, *pipeline.joints]
    return tuple(found)

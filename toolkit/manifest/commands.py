"""Split `a ; b` into commands, as bash would: a `;` in quotes or after a backslash does not split.

Each command is later passed whole to bash in the container, so pipes, `&&` and variables work in it. What needs a
full shell grammar to parse, and what would not leave an exit status of its own, is refused with the reason.
"""

from __future__ import annotations

from toolkit.manifest.exit_status import judgeable
from toolkit.manifest.launchers.find import refuse_nested
from toolkit.manifest.launchers.translate import Command, translated
from toolkit.manifest.shell import AndOr, read_script
from toolkit.manifest.words import SCRIPT

MAX_STEPS = 100


def read_commands(text: str) -> tuple[Command, ...]:
    """The commands of `text`, in order, split at `;` and line ends; raises `ValueError` with what is wrong."""
    found = []
    for one in _lists(text):
        command = translated(text, one)
        refuse_nested(command.text)
        judgeable(command.text)
        found.append(command)
    return tuple(found)


def check_command(text: str) -> None:
    """Raise `ValueError` if `text`, which is run by one bash, cannot be read here. Does not look for launchers."""
    _lists(text)
    judgeable(text)


def _lists(text: str) -> tuple[AndOr, ...]:
    lists = read_script(text)
    if not lists:
        raise ValueError("empty; give the command that trains")
    if len(lists) > MAX_STEPS:
        raise ValueError(f"{len(lists)} commands, and a run has {MAX_STEPS} at most: {SCRIPT}")
    return lists


def has_lines(text: str) -> bool:
    """Whether commands of `text`, which has been checked, are on separate lines."""
    return len({one.line for one in read_script(text)}) > 1

"""Commands inside containers that several parts of the tool have them run. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.shell_files import shell_program

Command = tuple[str, ...]


def receive_file(file: str) -> Command:
    """Takes its standard input as `file`, absolute: whole or not at all, for its owner alone."""
    folder = file.rpartition("/")[0]
    return ("sh", "-c", shell_program("toolkit.containers", "receive_file.sh"), "receive", folder, file)


def start_when_there(file: str, command: Sequence[str]) -> Command:
    """Becomes `command` once `file`, absolute, has something in it."""
    return ("sh", "-c", shell_program("toolkit.agent", "start_when_there.sh"), "start", file, *command)

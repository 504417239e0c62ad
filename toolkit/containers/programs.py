"""Commands that several parts of the tool run inside containers. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.shell_files import shell_program

Command = tuple[str, ...]


def receive_file(file: str) -> Command:
    """Writes its standard input to `file` (absolute): completely or not at all, readable only by its owner."""
    folder = file.rpartition("/")[0]
    return ("sh", "-c", shell_program("toolkit.containers", "receive_file.sh"), "receive", folder, file)


def start_when_there(file: str, command: Sequence[str]) -> Command:
    """Executes `command` once `file` (absolute) is not empty."""
    return ("sh", "-c", shell_program("toolkit.agent", "start_when_there.sh"), "start", file, *command)

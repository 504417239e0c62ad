"""How a command is sent over a connection so that it can be ended: pure, an argv list in, one line out.

sshd gives a line to the account's login shell and nothing more: a channel that is closed leaves the command
running. So each command is started by a POSIX sh that first tells its process id. It is the leader of a session of
its own (sshd sees to that, and `exec` keeps the login shell from standing in between), so one `kill` of its group,
from a second session, ends the command with all that it started. `timeout` from coreutils would end it only after
its time, not on a Ctrl-C; ssh's own signal request is known to OpenSSH 7.9 and later alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from toolkit.shell_files import shell_line

ANNOUNCED = re.compile(rb"toolkit-command ([0-9]+)\n")
"""The line that comes before any output of the command; what stands before it is the login shell's own."""

# One line each: csh as a login shell takes no line end in a word.
_START = shell_line("toolkit.hosts.ssh", "start.sh")
_START_MERGED = shell_line("toolkit.hosts.ssh", "start_merged.sh")
_SIGNAL = shell_line("toolkit.hosts.ssh", "signal.sh")


def start_line(argv: Sequence[str], *, merged: bool = False) -> str:
    """The line that runs `argv`: each word quoted, so no shell interprets it; `merged`: stderr goes to stdout."""
    return "exec " + shlex.join(["sh", "-c", _START_MERGED if merged else _START, "sh", *argv])


def signal_line(pids: Iterable[int], signal: str) -> str:
    """The line that sends `signal` (`TERM`, `KILL`) to the commands that were announced with `pids`."""
    return "exec " + shlex.join(["sh", "-c", _SIGNAL, "sh", signal, *map(str, pids)])

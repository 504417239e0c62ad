"""Whether a ControlMaster answers, and whose it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from toolkit.hosts.openssh.arguments import ask_master
from toolkit.process import run

_ASK_SECONDS = 5


def is_alive(control: Path) -> bool:
    """Whether a master answers at `control`."""
    return control.exists() and run(ask_master(control, "check"), check=False, timeout=_ASK_SECONDS).ok


def end(control: Path) -> bool:
    """End the master at `control`, and with it all that runs over it; whether there was one."""
    return control.exists() and run(ask_master(control, "exit"), check=False, timeout=_ASK_SECONDS).ok


def is_private(control: Path) -> bool:
    """Whether only this account, or root, can have put the socket there.

    ssh does not check that: a master of another account would get every command and key meant for the host.
    """
    try:
        found, folder = control.lstat(), control.parent.stat()
    except OSError:
        return False
    is_ours = found.st_uid == os.getuid() and stat.S_ISSOCK(found.st_mode)
    return is_ours and folder.st_uid in (0, os.getuid()) and not folder.st_mode & 0o022

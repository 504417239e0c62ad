"""Whether a ControlMaster answers."""

from __future__ import annotations

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

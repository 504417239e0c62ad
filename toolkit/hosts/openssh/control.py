"""Control sockets: in a private folder of the user with a short name, one name for each connection; who answers there.

A unix socket's path has at most 104 bytes (108 on Linux), of which ssh takes 17 while it makes one. A home folder may
be long, or on a file system that several machines share and that has no sockets.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from toolkit.errors import Code, ToolkitError
from toolkit.file_lock import lock_within
from toolkit.hosts.openssh.arguments import ask_master
from toolkit.hosts.ssh.destination import Destination
from toolkit.process import run

_DAY_SECONDS = 24 * 3600
_ASK_SECONDS = 5


def folder(parent: Path = Path("/tmp")) -> Path:  # noqa: S108  the folder in it is checked
    """The folder `toolkit-ssh-UID`, created if missing, private to its owner.

    Raises `ToolkitError` (C104) where something else has that name: whoever writes there could speak for any host.
    """
    path = parent / f"toolkit-ssh-{os.getuid()}"
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        what = f"{path}, the folder of the ssh control sockets, cannot be created: {error.strerror}"
        raise ToolkitError(Code.RESOURCES_ASKED, what) from None
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        what = f"{path}, the folder of the ssh control sockets, must be owned by you with mode 0700"
        raise ToolkitError(Code.RESOURCES_ASKED, what, hint=f"check its owner (ls -ld {path}), then remove it")
    return path


def control_path(to: Destination, number: int = 0, owner: str = "") -> Path:
    """The socket of the `number`th connection to `to`.

    Everything that decides who is reached, as whom and by which record of keys is in its name. So a cluster file or an
    ssh_config that has changed never meets a connection that was made before. `owner`: it is not shared with other
    processes.
    """
    name = hashlib.sha256(f"{owner}{_what_decides(to)!r}".encode()).hexdigest()[:16]
    return folder() / (name if number == 0 else f"{name}-{number}")


def _what_decides(to: Destination) -> Destination:
    """Without what differs between two shells of a user: the agent, and their own open login."""
    system = replace(to.system, why="", control=None) if to.system else None
    through = _what_decides(to.through) if to.through else None
    return replace(to, system=system, through=through, agent=None, new_keys=None)


@contextmanager
def locked(control: Path, seconds: float) -> Iterator[None]:
    """While the context lasts, no other process opens this master: of two at once, ssh would leave one unused.

    Raises `TimeoutError` where another holds it for so long.
    """
    handle = os.open(_lock_of(control), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        lock_within(handle, seconds)
        os.utime(handle)  # `sweep` leaves it alone for a day
        yield
    finally:
        os.close(handle)


def _lock_of(control: Path) -> Path:
    return control.with_name(f"{control.name}.lock")


def log_of(control: Path) -> Path:
    """What the master's ssh says, as long as it lives."""
    return control.with_name(f"{control.name}.log")


def remove(control: Path) -> None:
    """Remove the lock and the log of a master that has ended."""
    for path in (log_of(control), _lock_of(control)):
        path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove the locks and logs of masters that are gone, a day after they were last opened."""
    old = time.time() - _DAY_SECONDS
    for lock in folder.glob("*.lock"):
        control = lock.with_suffix("")
        with suppress(OSError):
            if lock.stat().st_mtime < old and not control.exists():
                remove(control)


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

"""Opens ControlMasters: as many at a time as the cluster allows, jump hosts first, each login once.

An existing one is used, whether an earlier command or `toolkit cluster connect` opened it.
"""

from __future__ import annotations

import subprocess
import threading
from dataclasses import replace
from pathlib import Path

from toolkit.child_environment import child_environment
from toolkit.hosts.openssh import host_key
from toolkit.hosts.openssh.arguments import JumpHost, Times, open_master, run_line
from toolkit.hosts.openssh.control import control_path, end, is_alive, locked, log_of, remove, sweep
from toolkit.hosts.openssh.master import Master, last_words
from toolkit.hosts.openssh.process import finish, quiet, start
from toolkit.hosts.openssh.translate import KEY_REFUSED, failure
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.connector import Logins
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.known_hosts import HostKey

_MOST = 64
_GRACE_SECONDS = 5


class Masters:
    """Opens masters; making one does nothing.

    Args:
        connections: how many logins are under way at the same time. Default 8; through one jump host at most 4.
        times: see `Times`.
        owner: if not empty, a word that no other process has: the masters are this object's, and `close` ends them.
    """

    def __init__(self, *, connections: int = 8, times: Times | None = None, owner: str = "") -> None:
        self._times, self._owner = times or Times(), owner
        self._opened: set[Path] = set()
        self._logins = Logins(connections)
        self._given: dict[Destination, list[Master]] = {}
        self._lock = threading.Lock()

    def connect(self, to: Destination) -> Master:
        """A further connection to `to`; raises `ToolkitError` (S100). A refused one is tried once more."""
        with self._lock:
            given = self._given.setdefault(to, [])
            given[:] = [master for master in given if master.is_connected]
            used = {master.control for master in given}
        own = _own_login(to)
        choices = [*([own] if own else []), *(self._control(to, number) for number in range(_MOST))]
        control = next(control for control in choices if control not in used)
        if control != own:
            self._logins.limited(to, lambda: self.open(to, control))
        master = Master(to, control, log_of(control), self._times.lost)
        with self._lock:
            given.append(master)
        return master

    def log_in(self, to: Destination, *, person: bool = False) -> bool:
        """Ensure a login to `to`; returns whether it is new. `person` as in `open`."""
        if _own_login(to):
            return False
        is_new = self.open(to, person=True) if person else self._logins.limited(to, lambda: self.open(to))
        if is_new:
            # A host may close the connection after the login, for an expired account; a jump host may not run commands.
            quiet(run_line(self._control(to), to.host, "exit 0"), self._times.connect)
            if not is_alive(self._control(to)):
                raise ssh_errors.cut(to, "the host closed the connection right after the login")
        return is_new

    def open(self, to: Destination, control: Path | None = None, *, person: bool = False) -> bool:
        """Ensure that a master answers at `control` (default: the first one to `to`); returns whether it is new.

        Args:
            person: ssh may prompt at the terminal, without a time limit, and prints its errors there.
        """
        control = control or self._control(to)
        jump = self._jump_host_of(to, None if person else log_of(control))
        try:
            with locked(control, self._times.connect + 5):
                if is_alive(control):
                    return False
                self._opened.add(control)
                control.unlink(missing_ok=True)  # of a master that was killed; ssh would not replace it
                self._log_in(to, control, jump, person=person)
                return True
        except TimeoutError:
            raise ssh_errors.unreachable(to, "another login to it is in progress") from None

    def host_key(self, to: Destination) -> HostKey:
        """The key that `to` shows, without a login; raises `ToolkitError` (S100)."""
        return self._logins.limited(to, lambda: host_key.shown_key(to, self._times, self._jump_host_of(to)))

    def close(self) -> None:
        """Masters that are shared stay open for later commands, and exit when idle."""
        opened, self._opened = self._opened, set()
        for control in opened if self._owner else ():
            end(control)
            remove(control)

    def _control(self, to: Destination, number: int = 0) -> Path:
        return control_path(to, number, self._owner)

    def _jump_host_of(self, to: Destination, log: Path | None = None) -> JumpHost | None:
        """The jump host, with a master that answers; errors of forwarding go to `log`."""
        through = to.through
        if through is None:
            return None
        jump = self._logins.jump_host(through)
        with jump.lock, jump.login():
            control = _own_login(through)
            if control is None:
                control = self._control(through)
                if not is_alive(control):
                    self._logins.limited(through, lambda: self.open(through))
        return JumpHost(through.host, control, log)

    def _log_in(self, to: Destination, control: Path, jump: JumpHost | None, *, person: bool) -> None:
        sweep(control.parent)
        log = log_of(control)
        log.write_bytes(b"")
        argv = open_master(to, control, self._times, jump=jump, log=None if person else log, person=person)
        status = _at_the_terminal(argv) if person else _by_itself(argv, log, self._times.connect)
        if status == 0:
            return
        if status is None:
            raise ssh_errors.unreachable(to, f"login not completed within {self._times.connect:g} s")
        said = last_words(log)
        jump = replace(jump, log=None) if jump else None
        if person:
            raise host_key.refused(to, self._times, jump) or ssh_errors.needs_login(to, "see above")
        if KEY_REFUSED in said:
            raise host_key.refused(to, self._times, jump) or ssh_errors.key_refused(to, said)
        raise failure(to, said)


def _own_login(to: Destination) -> Path | None:
    """The socket of the login that the person has open by their ssh_config, if it answers."""
    own = to.system.control if to.system else None
    return own if own and is_alive(own) else None


def _by_itself(argv: list[str], log: Path, seconds: float) -> int | None:
    """The status of an ssh that goes to the background after the login; None on timeout."""
    with log.open("ab") as stream:
        process = start(argv, errors=stream)
    return None if finish(process, seconds) is None else process.returncode


def _at_the_terminal(argv: list[str]) -> int:
    """The same, with ssh prompting at the terminal; a Ctrl-C reaches it, too."""
    process = subprocess.Popen(argv, env=child_environment("ssh"))
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(_GRACE_SECONDS)

"""The connections to one host: sessions share them, and a further one is opened only where they are full."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import paramiko

from toolkit.errors import ToolkitError
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.connector import Dialler
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.session import Session, send_signal

if TYPE_CHECKING:
    from toolkit.hosts.ssh.connection import HostConnection

_SESSIONS = 8
"""On one connection: sshd's MaxSessions is 10 by default, and one is kept free for ending the others."""
_WIRES = 8
_OPEN_SECONDS = 10


@dataclass
class _Shared:
    """A wire and its sessions; `most` shrinks where sshd allows fewer."""

    wire: HostConnection
    sessions: list[Session | None] = field(default_factory=list)
    most: int = _SESSIONS

    @property
    def is_free(self) -> bool:
        return self.wire.is_connected and len(self.sessions) < self.most


@dataclass
class _Attempt:
    """A dial that is under way, and what came of it: those who wait for it share its error."""

    error: ToolkitError | None = None
    done: bool = False


class SessionPool:
    """Sessions on `to`, over wires that `dialler` opens; nothing is opened before the first session."""

    def __init__(self, to: Destination, dialler: Dialler) -> None:
        self._to, self._dialler = to, dialler
        self._wires: list[_Shared] = []
        self._attempt: _Attempt | None = None
        self._change = threading.Condition()

    @contextmanager
    def session(self, argv: Sequence[str], *, merged: bool = False, keep_errors: int = 0) -> Iterator[Session]:
        """Run `argv` in a session of its own; leaving before its end ends the command on the host."""
        shared, channel = self._open()
        session: Session | None = None
        try:
            session = Session(shared.wire, channel, argv, merged=merged, keep_errors=keep_errors)
            with self._change:
                shared.sessions[shared.sessions.index(None)] = session
            yield session
        finally:
            try:
                if session:
                    session.end()
            finally:
                channel.close()
                self._give_back(shared, session)

    def tunnel(self, port: int) -> Any:
        """A channel to `port` of the host's loopback. Raises `ToolkitError` (S100), also where sshd allows none."""
        shared = self._place()
        try:
            address = ("127.0.0.1", port)
            return shared.wire.transport.open_channel("direct-tcpip", address, ("127.0.0.1", 0), timeout=_OPEN_SECONDS)
        except (paramiko.SSHException, EOFError, OSError) as error:
            if not shared.wire.is_connected:
                raise ssh_errors.cut(self._to, shared.wire.why_down()) from None
            raise ssh_errors.no_way_in(self._to, port, str(error)) from None
        finally:
            self._give_back(shared, None)

    def end_commands(self) -> None:
        """End every command that runs on the host through this pool; their sessions then end by themselves."""
        with self._change:
            wires = [(shared.wire, [s.pid for s in shared.sessions if s and s.pid]) for shared in self._wires]
        for wire, pids in wires:
            if pids and wire.is_connected:
                send_signal(wire, [pid for pid in pids if pid], "TERM")

    def close(self) -> None:
        """Hang up; a later session opens a wire anew."""
        with self._change:
            wires, self._wires = self._wires, []
        for shared in wires:
            shared.wire.close()

    def _open(self) -> tuple[_Shared, Any]:
        """A place on a wire and an open channel there; a wire that turns out to be down is replaced once."""
        downs = 0
        while True:
            shared = self._place()
            try:
                return shared, shared.wire.transport.open_session(timeout=_OPEN_SECONDS)
            except (paramiko.SSHException, EOFError, OSError) as error:
                # On a wire that is up it is sshd's MaxSessions; a plain SSHException too, as of two refusals at the
                # same time paramiko keeps the reason of one.
                is_up = shared.wire.is_connected
                self._give_back(shared, None, full=is_up)
                downs += not is_up
                if is_up and not shared.most:
                    raise ssh_errors.refused(self._to, f"it opens no session ({error}); its MaxSessions?") from None
                if downs > 1:
                    raise ssh_errors.cut(self._to, shared.wire.why_down()) from None
            except BaseException:
                self._give_back(shared, None)
                raise

    def _place(self) -> _Shared:
        """A wire with room for one session more, which is taken; dials where there is none."""
        with self._change:
            while True:
                self._wires = [shared for shared in self._wires if shared.wire.is_connected]
                free = next((shared for shared in self._wires if shared.is_free), None)
                if free:
                    free.sessions.append(None)
                    return free
                if self._attempt is None and len(self._wires) < _WIRES:
                    attempt = self._attempt = _Attempt()
                    break
                self._wait()
        return self._dial(attempt)

    def _wait(self) -> None:
        """Until a place may be free; raises what the dial that was waited for has raised."""
        awaited = self._attempt
        self._change.wait()
        if awaited and awaited.done and awaited.error:
            raise awaited.error

    def _dial(self, attempt: _Attempt) -> _Shared:
        try:
            shared = _Shared(self._dialler.dial(self._to), [None])
        except ToolkitError as error:
            attempt.error = error
            raise
        else:
            with self._change:
                self._wires.append(shared)
            return shared
        finally:
            with self._change:
                attempt.done, self._attempt = True, None
                self._change.notify_all()

    def _give_back(self, shared: _Shared, session: Session | None, *, full: bool = False) -> None:
        with self._change:
            shared.sessions.remove(session if session in shared.sessions else None)
            if full:
                shared.most = len(shared.sessions)
            self._change.notify_all()

"""The connections to one host: sessions share them, and a further one is opened only where they are full."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from toolkit.errors import ToolkitError
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.command import ConnectionDown, NoSession, RunningCommand, SharedConnection, SilentHost
from toolkit.hosts.ssh.destination import Destination

_SESSIONS = 8
"""On one connection: sshd's MaxSessions is 10 by default, and one is kept free for ending the others."""
_MOST_CONNECTIONS = 8


class Connects(Protocol):
    """Opens connections: Fabric's `Connector`, or the system's ssh."""

    def connect(self, to: Destination) -> SharedConnection:
        """A further connection to `to`; raises `ToolkitError` (S100)."""
        ...


@dataclass
class _Shared:
    """A connection and its sessions; `most` shrinks if sshd allows fewer."""

    connection: SharedConnection
    sessions: list[RunningCommand | None] = field(default_factory=list)
    most: int = _SESSIONS

    @property
    def is_free(self) -> bool:
        return self.connection.is_connected and len(self.sessions) < self.most


class SessionPool:
    """Sessions on `to`, over connections opened by `connector`; nothing is opened before the first session."""

    def __init__(self, to: Destination, connector: Connects) -> None:
        self._to, self._connector = to, connector
        self._most_connections = _MOST_CONNECTIONS
        self._connections: list[_Shared] = []
        self._attempt: Future[None] | None = None
        """A connection being opened: all waiting threads share its error."""
        self._change = threading.Condition()

    @contextmanager
    def session(self, argv: Sequence[str], *, merged: bool = False) -> Iterator[RunningCommand]:
        """Run `argv` in a session of its own; leaving before its end ends the command on the host."""
        shared, session = self._start(argv, merged=merged)
        try:
            yield session
        finally:
            try:
                session.end()
            finally:
                session.close()
                self._give_back(shared, session)

    def tunnel(self, port: int) -> Any:
        """A channel to `port` of the host's loopback. Raises `ToolkitError` (S100), also where sshd allows none."""
        shared = self._place()
        try:
            return shared.connection.tunnel(port)
        finally:
            self._give_back(shared, None)

    def end_commands(self) -> None:
        """End every command that runs on the host through this pool; their sessions then end by themselves."""
        with self._change:
            connections = [
                (shared.connection, [s.pid for s in shared.sessions if s and s.pid]) for shared in self._connections
            ]
        for connection, pids in connections:
            if pids and connection.is_connected:
                connection.signal([pid for pid in pids if pid], "TERM")

    def close(self) -> None:
        """Close all connections; a later session opens a new one."""
        with self._change:
            connections, self._connections = self._connections, []
        for shared in connections:
            shared.connection.close()

    def _start(self, argv: Sequence[str], *, merged: bool) -> tuple[_Shared, RunningCommand]:
        """Start a command on a connection with room; a connection that is down is replaced once."""
        downs = 0
        while True:
            shared = self._place()
            try:
                session = shared.connection.start(argv, merged=merged)
            except SilentHost as error:
                self._give_back(shared, None, full=True)
                if not shared.most:
                    raise ssh_errors.unreachable(self._to, str(error)) from None
            except NoSession as error:  # sshd's MaxSessions
                self._give_back(shared, None, full=True)
                if not shared.most:
                    raise ssh_errors.refused(
                        self._to, f"it refused to open a session ({error}); check its MaxSessions"
                    ) from None
            except ConnectionDown:
                self._give_back(shared, None)
                downs += 1
                if downs > 1:
                    raise ssh_errors.cut(self._to, shared.connection.why_down()) from None
            except BaseException:
                self._give_back(shared, None)
                raise
            else:
                with self._change:
                    shared.sessions[shared.sessions.index(None)] = session
                return shared, session

    def _place(self) -> _Shared:
        """Reserve a session on a connection with room; opens a connection if there is none."""
        with self._change:
            while True:
                self._connections = [shared for shared in self._connections if shared.connection.is_connected]
                free = next((shared for shared in self._connections if shared.is_free), None)
                if free:
                    free.sessions.append(None)
                    return free
                if self._attempt is None and len(self._connections) < self._most_connections:
                    attempt = self._attempt = Future[None]()
                    break
                awaited = self._attempt
                self._change.wait()
                if awaited and awaited.done():
                    awaited.result()  # raises what opening that connection has raised
        return self._open_connection(attempt)

    def _open_connection(self, attempt: Future[None]) -> _Shared:
        try:
            shared = _Shared(self._connector.connect(self._to), [None])
        except ToolkitError as error:
            if not self._stays_with_what_is_open(error):
                attempt.set_exception(error)
                raise
        else:
            with self._change:
                self._connections.append(shared)
            return shared
        finally:
            with self._change:
                if not attempt.done():
                    attempt.set_result(None)
                self._attempt = None
                self._change.notify_all()
        return self._place()

    def _stays_with_what_is_open(self, error: ToolkitError) -> bool:
        """If each login needs user input, commands wait for room on the existing connections."""
        with self._change:
            if error.context.get("reason") != "authentication" or not self._connections:
                return False
            self._most_connections = len(self._connections)
            return True

    def _give_back(self, shared: _Shared, session: RunningCommand | None, *, full: bool = False) -> None:
        with self._change:
            shared.sessions.remove(session if session in shared.sessions else None)
            if full:
                shared.most = len(shared.sessions)
            self._change.notify_all()

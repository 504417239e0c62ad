"""A connection held open by the system's ssh: a ControlMaster behind a unix socket, whoever started it."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from toolkit.errors import ToolkitError
from toolkit.hosts.openssh import arguments
from toolkit.hosts.openssh.control import is_alive
from toolkit.hosts.openssh.process import kill, quiet, start
from toolkit.hosts.openssh.session import Session
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.remote_command import signal_line
from toolkit.process import run

_ASK_SECONDS = 5
_OPEN_SECONDS = 10
_KEPT_LOG = 1 << 14


def last_words(log: Path) -> str:
    """The end of ssh's log."""
    with contextlib.suppress(OSError), log.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _KEPT_LOG))
        return stream.read(_KEPT_LOG).decode("utf-8", "replace").replace("\r\n", "\n")
    return ""


class Master:
    """See `SharedConnection`. The master itself outlives this object, until it has had nothing to do for a while."""

    def __init__(self, to: Destination, control: Path, log: Path, lost: float) -> None:
        self.to, self.control, self._log, self._lost = to, control, log, lost
        self._is_up = True
        self._forwards: dict[int, Path] = {}
        self._lock = threading.Lock()

    @property
    def is_connected(self) -> bool:
        return self._is_up

    def is_alive(self) -> bool:
        """Whether it answers now; once it does not, it stays down."""
        self._is_up = self._is_up and is_alive(self.control)
        return self._is_up

    def start(self, argv: Sequence[str], *, merged: bool = False) -> Session:
        return Session(self, argv, merged=merged)

    def signal(self, pids: Sequence[int], signal: str) -> None:
        quiet(arguments.run_line(self.control, self.to.host, signal_line(pids, signal)), _ASK_SECONDS)

    def tunnel(self, port: int) -> socket.socket:
        """A connection to a unix socket that the master listens on."""
        with self._lock:
            path = self._forwards.get(port)
            if path is None:
                path = self._forwards[port] = self._forward(port)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_OPEN_SECONDS)
            connection.connect(str(path))
            connection.settimeout(None)
        except OSError as error:
            connection.close()
            raise self._port_unreachable(port, error.strerror or str(error)) from None
        return connection

    def why_down(self) -> str:
        if "not responding" in last_words(self._log):
            return f"no response for {self._lost:g} s"
        return "closed by the host or the network"

    def close(self) -> None:
        """Cancel forwarded ports; the connection stays open for later commands."""
        with self._lock:
            forwards, self._forwards = self._forwards, {}
        for port, path in forwards.items():
            if self._is_up:
                argv = arguments.forward_port(self.control, "cancel", path, port)
                run(argv, check=False, timeout=_ASK_SECONDS)
            path.unlink(missing_ok=True)

    def _forward(self, port: int) -> Path:
        """The socket; the port is probed first, because ssh would accept and then close the connection."""
        self._see_that_it_answers(port)
        path = self.control.with_name(f"p-{secrets.token_hex(6)}")
        done = run(arguments.forward_port(self.control, "forward", path, port), check=False, timeout=_OPEN_SECONDS)
        if not done.ok:
            raise self._port_unreachable(port, done.errors.strip())
        return path

    def _see_that_it_answers(self, port: int) -> None:
        process = start(arguments.reach_port(self.control, self.to.host, port), stdin=subprocess.PIPE)
        timer = threading.Timer(_OPEN_SECONDS, kill, (process,))
        timer.start()
        try:
            assert process.stderr is not None
            said = b""
            while arguments.REACHED not in said:
                piece = os.read(process.stderr.fileno(), 1 << 12)
                if not piece:
                    raise self._port_unreachable(port, _last_line(said))
                said = (said + piece)[-_KEPT_LOG:]
        finally:
            timer.cancel()
            kill(process)
            for stream in (process.stdin, process.stderr):
                if stream:
                    stream.close()

    def _port_unreachable(self, port: int, why: str) -> ToolkitError:
        if self.is_alive():
            return ssh_errors.port_unreachable(self.to, port, why)
        return ssh_errors.cut(self.to, self.why_down())


def _last_line(said: bytes) -> str:
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if "Stdio forwarding" in line]
    return lines[-1].strip() if lines else "timed out"

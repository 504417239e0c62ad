"""A port of a host's loopback, reached at a port of this machine: what `ssh -L` does, over the open connection.

Each connection is a channel of its own (RFC 4254, 7.2), which no limit of sshd's counts.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import paramiko

from toolkit.errors import ToolkitError

_LOOPBACK = "127.0.0.1"
_PIECE = 1 << 16
_BACKLOG = 64

OpenChannel = Callable[[int], Any]
"""Opens a channel to a port of the host's loopback; raises `ToolkitError`."""


@contextmanager
def forwarded(port: int, open_channel: OpenChannel) -> Iterator[int]:
    """A port here that leads to `port` there, while the context lasts; anyone on this machine can connect to it.

    Raises `ToolkitError` where the host lets nothing through: a channel is opened to see that.
    """
    open_channel(port).close()
    with socket.create_server((_LOOPBACK, 0), backlog=_BACKLOG) as server:
        threading.Thread(target=_accept, args=(server, port, open_channel), name="forward", daemon=True).start()
        try:
            yield int(server.getsockname()[1])
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)  # `accept` returns


def _accept(server: socket.socket, port: int, open_channel: OpenChannel) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_join, args=(connection, port, open_channel), name="forward", daemon=True).start()


def _join(connection: socket.socket, port: int, open_channel: OpenChannel) -> None:
    """Copy data both ways until both sides have ended; if the host is lost, the client's connection is closed."""
    with connection:
        try:
            channel = open_channel(port)
        except ToolkitError:
            return
        try:
            back = threading.Thread(target=_pump, args=(channel, connection), name="forward", daemon=True)
            back.start()
            _pump(connection, channel)
            back.join()
        finally:
            channel.close()


def _pump(source: Any, target: Any) -> None:
    """All that `source` sends, to `target`; then its end, too."""
    with suppress(OSError, EOFError, paramiko.SSHException):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    with suppress(OSError, EOFError, paramiko.SSHException):
        target.shutdown_write() if isinstance(target, paramiko.Channel) else target.shutdown(socket.SHUT_WR)

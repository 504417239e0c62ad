"""An sshd of paramiko's in this process: real protocol on a real socket, and it remembers who tried to log in."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko

from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.known_hosts import HostKey, append, known_as


@dataclass
class StandInSshd(paramiko.ServerInterface):
    """Lets in whoever has a key of `takes`; passes connections on, each after `slow` seconds.

    `thinks` is how long it takes over each key that it is shown.
    """

    keys: Sequence[Any]
    takes: list[bytes] = field(default_factory=list)
    thinks: float = 0
    slow: float = 0
    forwards: bool = True
    port: int = 0
    tried: list[tuple[str, bytes]] = field(default_factory=list)
    passed_on: list[tuple[str, int]] = field(default_factory=list)
    transports: list[paramiko.Transport] = field(default_factory=list)

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: Any) -> int:
        self.tried.append((username, key.asbytes()))
        time.sleep(self.thinks)
        taken = key.asbytes() in self.takes
        return paramiko.AUTH_SUCCESSFUL if taken else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_direct_tcpip_request(self, chanid: int, origin: Any, destination: tuple[str, int]) -> int:
        time.sleep(self.slow)
        self.passed_on.append(destination)
        if not self.forwards:
            return int(paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED)
        return int(paramiko.OPEN_SUCCEEDED)

    def known_in(self, file: Path, *keys: Any) -> None:
        """Put `keys`, in place of its own, on record."""
        lines = [(known_as("127.0.0.1", self.port), HostKey(key.get_name(), key.asbytes())) for key in keys]
        append(file, lines)

    def serve(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                transport = paramiko.Transport(server.accept()[0])
                for key in self.keys:
                    transport.add_server_key(key)
                self.transports.append(transport)
                threading.Thread(target=self._pass_on, args=(transport,), daemon=True).start()

    def _pass_on(self, transport: paramiko.Transport) -> None:
        with suppress(paramiko.SSHException, EOFError, OSError):
            transport.start_server(server=self)
            while transport.is_active():
                channel = transport.accept(0.2)
                if channel is not None and self.passed_on:
                    target = socket.create_connection(self.passed_on[-1], timeout=10)
                    for pair in ((channel, target), (target, channel)):
                        threading.Thread(target=_pump, args=pair, daemon=True).start()


def _pump(source: Any, target: Any) -> None:
    with suppress(OSError, EOFError):
        while piece := source.recv(1 << 15):
            target.sendall(piece)
    target.close()


@contextmanager
def standing_in(**given: Any) -> Iterator[StandInSshd]:
    """Such an sshd on a port of its own."""
    sshd = StandInSshd(**{"keys": [paramiko.ECDSAKey.generate()], **given})
    with socket.create_server(("127.0.0.1", 0)) as server:
        sshd.port = server.getsockname()[1]
        threading.Thread(target=sshd.serve, args=(server,), daemon=True).start()
        try:
            yield sshd
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            for transport in sshd.transports:
                transport.close()


def way(port: int, folder: Path, *identities: Path, **given: Any) -> Destination:
    """The way to a port of this machine, with the keys on record in `folder`."""
    own = {"identities": identities, "known_hosts": (folder / "known_hosts",), "agent": "", **given}
    known = known_as("127.0.0.1", port)
    return Destination(
        **{
            "host": "oak",
            "address": "127.0.0.1",
            "port": port,
            "user": "me",
            "any_key": False,
            "known_as": known,
            **own,
        }
    )

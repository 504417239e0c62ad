"""One ssh connection, opened and closed by Fabric, with our host key check and our order of login keys.

Of Fabric that is all. Its runner keeps all output in memory, garbles what is not text, feeds a command 100 bytes a
second and leaves it running after a time-out (Fabric 3.2, Invoke 2.2: runners.py); `session` runs commands instead.

Fabric reads /etc/fabric.yml, ~/.fabric.yml (and .py, which it runs), ~/.ssh/config and, in its own programs, variables
named FABRIC_*. What a person has there is for other tools: of ssh_config, `ssh -G` has given us all that counts.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import paramiko
from fabric import Config, Connection

from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.command import GRACE_SECONDS, ConnectionDown, NoSession, SilentHost
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.host_keys import KeyShown, KeysOnRecord, OnlyLook
from toolkit.hosts.ssh.keys import OurKeys
from toolkit.hosts.ssh.known_hosts import HostKey
from toolkit.hosts.ssh.remote_command import signal_line
from toolkit.hosts.ssh.session import Session
from toolkit.hosts.ssh.transport import WatchedTransport, left

_ADMINISTRATIVELY_PROHIBITED = 1
_OPEN_SECONDS = 10
_NO_ANSWER = "Timeout opening channel."
"""How paramiko says that (`Transport.open_channel`): it has no class of its own."""


def connected(to: Destination, jump: HostConnection | None, *, connect: float, lost: float) -> HostConnection:
    """A connection that is open; see `HostConnection.open` for its errors."""
    connection = HostConnection(to, jump, KeysOnRecord(to), connect=connect, lost=lost)
    connection.open()
    return connection


def shown_key(to: Destination, jump: HostConnection | None, *, connect: float) -> HostKey:
    """The key that the host shows, without a login; raises `ToolkitError` (S100) where it shows none."""
    try:
        HostConnection(to, jump, OnlyLook(to), connect=connect, lost=connect).open()
    except KeyShown as shown:
        return shown.key
    raise AssertionError("connected without checking the host key")


class _NothingConfigured(paramiko.SSHConfig):
    """An ssh_config that says nothing: not even the address back, in which paramiko would expand `%h` and `~`."""

    def lookup(self, _hostname: str) -> dict[str, str]:
        return {}


class HostConnection(Connection):
    """A connection to `to`, through `jump` where there is one; making it does nothing. See `SharedConnection`.

    Args:
        jump: an open connection to the jump host. Fabric would take one from ssh_config, and trust any key there.
        policy: what decides about the host's key.
        connect: seconds to connect and log in.
        lost: seconds without an answer after which the host counts as lost.
    """

    to: Destination
    _policy: KeysOnRecord
    _times: tuple[float, float]
    _until = 0.0

    def __init__(
        self, to: Destination, jump: HostConnection | None, policy: KeysOnRecord, *, connect: float, lost: float
    ) -> None:
        self._set(to=to, _policy=policy, _times=(connect, lost))
        way = False if jump is None else jump  # for None it would look into its configuration
        # One for each connection: Fabric writes into it what it finds out about one.
        defaults = Config(lazy=True, ssh_config=_NothingConfigured())
        super().__init__(to.address, user=to.user, port=to.port, config=defaults, gateway=way, forward_agent=False)
        self.client.set_missing_host_key_policy(policy)  # in place of Fabric's AutoAddPolicy

    def derive_shorthand(self, host_string: str) -> dict[str, Any]:
        """An address is no `user@host:port` to take apart."""
        return {"user": None, "host": host_string, "port": None}

    def open(self) -> None:
        """Connect, verify the host key, and log in, all within `connect` seconds.

        Raises `ToolkitError` (S100) that says which of these failed.
        """
        connect, lost = self._times
        self._until = time.monotonic() + connect
        try:
            self.connect_kwargs = {
                **({} if self.gateway else {"sock": _socket(self.to, self._until)}),
                "transport_factory": partial(WatchedTransport, until=self._until, lost=lost, kinds=self._policy.kinds),
                "auth_strategy": OurKeys(self.to, self._until),
            }
            super().open()
            self.transport.keep_alive()
        except (paramiko.SSHException, EOFError, OSError) as error:
            self.client.close()
            if time.monotonic() >= self._until:
                raise ssh_errors.unreachable(self.to, f"no SSH banner within {connect:g} s") from None
            raise ssh_errors.refused(self.to, ssh_errors.words(error)) from None
        except BaseException:
            self.client.close()  # `close` does nothing for one that was never open
            raise

    def open_gateway(self) -> Any:
        """A channel of the jump host's connection. Fabric's waits an hour for it, and opens a lost connection anew,
        from as many threads as there are hosts behind it.
        """
        jump: HostConnection = self.gateway
        try:
            return jump.transport.open_channel(
                "direct-tcpip", (self.to.address, self.to.port), ("127.0.0.1", 0), timeout=left(self._until)
            )
        except paramiko.ChannelException as error:
            if error.code == _ADMINISTRATIVELY_PROHIBITED:
                raise ssh_errors.forwarding_refused(self.to, error.text) from None
            raise ssh_errors.refused(self.to, f"{jump.to.host} says: {error.text}") from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            if not jump.is_connected:
                raise ssh_errors.cut(jump.to, jump.why_down()) from None
            if time.monotonic() >= self._until:
                raise ssh_errors.unreachable(self.to, f"{jump.to.host} could not connect to it in time") from None
            # Where two are refused at the same time, paramiko keeps the reason of one of them only.
            why = f"{jump.to.host} could not connect to it ({ssh_errors.words(error)})"
            raise ssh_errors.refused(self.to, why) from None

    def why_down(self) -> str:
        return str(self.transport.why_down())

    def start(self, argv: Sequence[str], *, merged: bool = False) -> Session:
        try:
            channel = self.transport.open_session(timeout=_OPEN_SECONDS)
        except (paramiko.SSHException, EOFError, OSError) as error:
            # On a connection that is up it is sshd's MaxSessions; a plain SSHException too, as of two refusals at the
            # same time paramiko keeps the reason of one.
            if self.is_connected and str(error) == _NO_ANSWER:
                raise SilentHost(f"no answer for {_OPEN_SECONDS} s on an open connection") from None
            if self.is_connected:
                raise NoSession(str(error)) from None
            raise ConnectionDown from None
        try:
            return Session(self, channel, argv, merged=merged)
        except BaseException:
            channel.close()
            raise

    def signal(self, pids: Sequence[int], signal: str) -> None:
        with suppress(paramiko.SSHException, EOFError, OSError):
            channel = self.transport.open_session(timeout=GRACE_SECONDS)
            try:
                channel.exec_command(signal_line(pids, signal))
                channel.status_event.wait(GRACE_SECONDS)
            finally:
                channel.close()

    def tunnel(self, port: int) -> Any:
        try:
            address = ("127.0.0.1", port)
            return self.transport.open_channel("direct-tcpip", address, ("127.0.0.1", 0), timeout=_OPEN_SECONDS)
        except (paramiko.SSHException, EOFError, OSError) as error:
            if not self.is_connected:
                raise ssh_errors.cut(self.to, self.why_down()) from None
            raise ssh_errors.port_unreachable(self.to, port, str(error)) from None

    def _unused(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("commands run in sessions, and tunnels are channels: see session_pool.py")

    run = sudo = shell = local = put = get = sftp = create_session = forward_local = forward_remote = _unused


def _socket(to: Destination, until: float) -> socket.socket:
    """A TCP connection to the first of a name's addresses that answers; each has its share of the time.

    `SSHClient` gives each all of it, and goes on to the next one only after ECONNREFUSED or EHOSTUNREACH, not where an
    address has no route or does not answer (paramiko 5.1, client.py).
    """
    try:
        sock = _first_that_answers(socket.getaddrinfo(to.address, to.port, type=socket.SOCK_STREAM), until)
    except socket.gaierror as error:
        raise ssh_errors.unreachable(to, f"{to.address}: {error.strerror}") from None
    except UnicodeError:  # of the codec `idna`: a part of the name is empty or too long
        raise ssh_errors.unreachable(to, f"{to.address}: not a valid host name") from None
    except TimeoutError:
        raise ssh_errors.unreachable(to, "timed out") from None
    except ConnectionError as error:
        raise ssh_errors.refused(to, error.strerror or str(error)) from None
    except OSError as error:
        raise ssh_errors.unreachable(to, error.strerror or str(error)) from None
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _first_that_answers(addresses: Sequence[Any], until: float) -> socket.socket:
    """Raises the error of the last address, as `ssh` does."""
    for rest, (family, kind, protocol, _, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left(until) / rest)
            sock.connect(address)
        except BaseException as error:
            sock.close()
            if rest == 1 or not isinstance(error, OSError):
                raise
        else:
            return sock
    raise OSError("no address")

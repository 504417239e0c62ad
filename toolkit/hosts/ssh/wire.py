"""One ssh connection: opened, its host's key verified, let in, and watched so that a lost host is noticed.

Paramiko's own client accepts unknown keys by a policy and hides why a key was not taken; so its `Transport`, the
protocol itself, is driven here directly.
"""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

import paramiko

from toolkit.hosts.ssh import trouble
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.keys import authenticate
from toolkit.hosts.ssh.known_hosts import HostKey, Standing, kinds_on_record, read_entries, standing

# Python prints what a library logs where no one listens; every failure is told by an error here.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
_ADMINISTRATIVELY_PROHIBITED = 1


class _Watched:
    """A socket that knows how long its host has owed an answer; paramiko's reader comes by ten times a second."""

    def __init__(self, wire: Any, patience: float) -> None:
        self._wire = wire
        self._patience = patience
        self.heard = time.monotonic()
        self.asked: float | None = None

    def recv(self, size: int) -> bytes:
        try:
            data: bytes = self._wire.recv(size)
        except TimeoutError:
            if self.asked is not None and time.monotonic() - self.asked > self._patience:
                raise ConnectionAbortedError(errno.ECONNABORTED, "no sign of life") from None
            raise
        self.heard, self.asked = time.monotonic(), None
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)


@dataclass(frozen=True)
class Wire:
    """An open connection: paramiko's transport, and where it leads."""

    to: Destination
    transport: Any
    lost: float
    socket: _Watched

    @property
    def is_up(self) -> bool:
        """Whether it can be used."""
        return bool(self.transport.is_active())

    def why_down(self) -> str:
        """Why it is up no more, as far as it is known."""
        if self.socket.asked is not None and time.monotonic() - self.socket.asked > self.lost / 3:
            return f"no sign of life for {time.monotonic() - self.socket.heard:.0f} s"
        return "the host closed it, or the network did"

    def close(self) -> None:
        """Hang up."""
        self.transport.close()


def open_wire(to: Destination, gate: Wire | None, *, connect: float, lost: float) -> Wire:
    """Connect, verify the host's key, and be let in, all within `connect` seconds; `gate` is the way to it, if any.

    A host that owes an answer for `lost` seconds counts as gone.

    Raises `ToolkitError` (S100) that says which of these failed.
    """
    until = time.monotonic() + connect
    entries = read_entries(to.known_hosts)
    transport, watched = _greet(to, gate, until, connect, lost, kinds_on_record(entries, to.known_as))
    wire = Wire(to, transport, lost, watched)
    try:
        _verify(to, entries, _host_key(transport))
        transport.auth_timeout = max(until - time.monotonic(), 0.1)
        authenticate(transport, to)
        _keep_alive(wire)
    except (paramiko.SSHException, EOFError, OSError) as error:
        wire.close()
        raise trouble.refused(to, f"it hung up while the key was checked ({_words(error)})") from None
    except BaseException:
        wire.close()
        raise
    return wire


def fetch_host_key(to: Destination, gate: Wire | None, *, connect: float) -> HostKey:
    """The key that the host shows, without a login; raises `ToolkitError` (S100) where it shows none."""
    kinds = kinds_on_record(read_entries(to.known_hosts), to.known_as)
    transport, _ = _greet(to, gate, time.monotonic() + connect, connect, connect, kinds)
    try:
        return _host_key(transport)
    finally:
        transport.close()


def _greet(
    to: Destination, gate: Wire | None, until: float, connect: float, lost: float, kinds: tuple[str, ...]
) -> tuple[Any, _Watched]:
    """Connect and agree on keys; types of host key that are on record come first, as in OpenSSH."""
    # Asked after a third of the time, so two thirds are left to answer.
    watched = _Watched(_socket(to, gate, until), lost * 2 / 3)
    transport = paramiko.Transport(watched)
    transport.banner_timeout = max(until - time.monotonic(), 0.1)
    options = transport.get_security_options()
    first = [name for kind in kinds for name in (_RSA_SIGNATURES if kind == "ssh-rsa" else (kind,))]
    offered = tuple(options.key_types)
    options.key_types = tuple(dict.fromkeys([*(name for name in first if name in offered), *offered]))
    try:
        transport.start_client(timeout=max(until - time.monotonic(), 0.1))
        transport.get_remote_server_key()
    except (paramiko.SSHException, EOFError, OSError) as error:
        transport.close()
        if time.monotonic() >= until:
            raise trouble.unreachable(to, f"no ssh greeting within {connect:g} s") from None
        raise trouble.refused(to, _words(error)) from None
    except BaseException:
        transport.close()
        raise
    return transport, watched


def _socket(to: Destination, gate: Wire | None, until: float) -> Any:
    if gate is not None:
        return _through(to, gate, until)
    try:
        wire = socket.create_connection((to.address, to.port), timeout=max(until - time.monotonic(), 0.1))
    except socket.gaierror as error:
        raise trouble.unreachable(to, f"{to.address}: {error.strerror}") from None
    except TimeoutError:
        raise trouble.unreachable(to, "no answer in time") from None
    except ConnectionError as error:
        raise trouble.refused(to, error.strerror or str(error)) from None
    except OSError as error:
        raise trouble.unreachable(to, error.strerror or str(error)) from None
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return wire


def _through(to: Destination, gate: Wire, until: float) -> Any:
    try:
        return gate.transport.open_channel(
            "direct-tcpip", (to.address, to.port), ("127.0.0.1", 0), timeout=max(until - time.monotonic(), 0.1)
        )
    except paramiko.ChannelException as error:
        if error.code == _ADMINISTRATIVELY_PROHIBITED:
            raise trouble.forwarding_refused(to, error.text) from None
        raise trouble.refused(to, f"{gate.to.host} says: {error.text}") from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        if not gate.is_up:
            raise trouble.cut(gate.to, gate.why_down()) from None
        if time.monotonic() >= until:
            raise trouble.unreachable(to, f"{gate.to.host} could not connect to it in time") from None
        # Where two are refused at the same time, paramiko keeps the reason of one of them only.
        raise trouble.refused(to, f"{gate.to.host} could not connect to it ({_words(error)})") from None


def _host_key(transport: Any) -> HostKey:
    key = transport.get_remote_server_key()
    return HostKey(key.get_name(), key.asbytes())


def _verify(to: Destination, entries: Any, key: HostKey) -> None:
    stands, entry = standing(entries, to.known_as, key)
    if stands is Standing.KNOWN:
        return
    if entry is None:
        raise trouble.key_unknown(to, key.kind, key.fingerprint)
    if stands is Standing.REVOKED:
        raise trouble.key_revoked(to, key.kind, key.fingerprint, entry.file, entry.line)
    recorded = f"{entry.key.kind} {entry.key.fingerprint}"
    raise trouble.key_changed(to, key.kind, key.fingerprint, entry.file, entry.line, recorded)


def _keep_alive(wire: Wire) -> None:
    """Ask a silent host for an answer every third of `lost`; TCP alone would take a quarter of an hour to notice."""

    def ask() -> None:
        while wire.is_up:
            silent = time.monotonic() - wire.socket.heard
            if silent < wire.lost / 3:
                stop.wait(wire.lost / 3 - silent)
                continue
            wire.socket.asked = time.monotonic()
            try:
                wire.transport.global_request("keepalive@openssh.com", wait=True)
            except (paramiko.SSHException, EOFError, OSError):
                return

    stop = threading.Event()
    threading.Thread(target=ask, name=f"keepalive {wire.to.host}", daemon=True).start()


def _words(error: BaseException) -> str:
    if isinstance(error, EOFError):
        return "it hung up"
    text = str(error).strip().replace("Error reading SSH protocol banner", "it hung up before it had greeted us")
    return text.splitlines()[0] if text else type(error).__name__

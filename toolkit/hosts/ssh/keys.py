"""Public key login: key files and the agent, in OpenSSH's order, never asking for a passphrase."""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import io
import os
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from paramiko.auth_strategy import AuthFailure, AuthResult, AuthSource, AuthStrategy

from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.openssh import home
from toolkit.hosts.ssh.transport import left

_OPENSSH = b"openssh-key-v1\0"
_PKCS8 = b"-----BEGIN PRIVATE KEY-----"
_MOST_BYTES = 1 << 20
_PLAIN = {"Authentication failed": "not accepted", "Authentication timeout": "timed out"}
"""paramiko's messages, and clearer ones."""
_USUAL = tuple(f"id_{kind}" for kind in ("rsa", "dsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss"))
"""Default key files of any ssh version."""


class _Source(AuthSource):
    """A key that may be tried; or, where `key` is None, why a file gave none."""

    def __init__(self, label: str, key: Any, why_not: str = "") -> None:
        super().__init__(username=None)  # set by `OurKeys` before use
        self.label, self.key, self.why_not = label, key, why_not
        self.is_last = self.is_hung_up = False

    def authenticate(self, transport: Any) -> list[str]:
        """See paramiko's; also notes whether another key may be tried."""
        if self.key is None:
            raise paramiko.AuthenticationException(self.why_not)
        try:
            more = transport.auth_publickey(self.username, self.key)
        except paramiko.BadAuthenticationType:
            self.is_last = True
            raise
        finally:
            self.is_hung_up = not transport.is_active()
        if more:  # `AuthStrategy` would take it for a success
            raise paramiko.AuthenticationException(f"accepted, but the host also requires: {', '.join(more)}")
        return []


@contextlib.contextmanager
def _held_by_agent(path: str | None, until: float) -> Iterator[tuple[Any, ...]]:
    """The keys of the agent behind a socket, while it is connected; none where no agent answers there in time.

    Paramiko's own `Agent` knows the socket of SSH_AUTH_SOCK alone.
    """
    path = os.environ.get("SSH_AUTH_SOCK", "") if path is None else path
    agent = paramiko.agent.AgentSSH()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(left(until))
        if path:
            with contextlib.suppress(OSError, paramiko.SSHException):
                sock.connect(path)
                agent._connect(sock)
        yield agent.get_keys()


class OurKeys(AuthStrategy):
    """How paramiko's client logs in to `to`: by each key in turn, until `until` on the clock of `time.monotonic`."""

    def __init__(self, to: Destination, until: float) -> None:
        super().__init__(ssh_config={})
        self._to, self._until = to, until

    def get_sources(self) -> Iterator[_Source]:
        """The keys that may be tried, as long as another one may follow."""
        for source in _sources(self._to, self._held):
            source.username, self._transport.auth_timeout = self._to.user, left(self._until)
            yield source
            if source.is_last or source.is_hung_up or time.monotonic() >= self._until:
                return

    def authenticate(self, transport: Any) -> AuthResult:
        """Log in on `transport`; raises `ToolkitError` (S100) with the result of each key that was tried."""
        with _held_by_agent(self._to.agent, self._until) as held:
            self._held, self._transport = held, transport
            try:
                return super().authenticate(transport)
            except AuthFailure as failure:
                raise _failed(self._to, failure.result) from None


def _failed(to: Destination, results: Sequence[Any]) -> Exception:
    """The error that says what came of each key; `AuthStrategy` has caught whatever was raised, bugs among it."""
    tried: list[str] = []
    for source, error in results:
        if isinstance(error, paramiko.BadAuthenticationType):
            return ssh_errors.authentication_failed(to, tried, error.allowed_types)
        if not isinstance(error, (paramiko.SSHException, EOFError, OSError)):
            return cast("Exception", error)
        if source.is_hung_up and not isinstance(error, paramiko.AuthenticationException):
            return ssh_errors.refused(to, f"connection closed while checking the key ({ssh_errors.words(error)})")
        said = ssh_errors.words(error).rstrip(".")
        tried.append(f"{source.label}: {_PLAIN.get(said, said)}")
        if source.is_hung_up:  # MaxAuthTries
            tried.append("then the host closed the connection: too many keys")
    return ssh_errors.authentication_failed(to, tried)


def _sources(to: Destination, held: Sequence[Any]) -> Iterator[_Source]:
    """Each key once, in the order of ssh's pubkey_prepare: what the agent holds of the files that are named, then
    what else it holds, then the files' other keys.
    """
    offered: set[bytes] = set()
    by_public = {key.asbytes(): key for key in reversed(held)}
    publics = {file: _public_of(file) for file in to.identities}
    for file, public in publics.items():
        if public in by_public and public not in offered:
            yield _held(by_public[public], offered, str(file))
    if to.any_key:
        yield from (_held(key, offered) for key in held if key.asbytes() not in offered)
    for file, public in publics.items():
        if public not in offered:
            yield from _of_file(file, offered)


def _of_file(file: Path, offered: set[bytes]) -> Iterator[_Source]:
    if not os.access(file, os.F_OK) and file.parent == Path(home(), ".ssh") and file.name in _USUAL:
        return  # ssh looks for these where none is named
    source = _from_file(file)
    if source.key is None:
        yield source
    elif source.key.asbytes() not in offered:
        offered.add(source.key.asbytes())
        yield source


def _held(key: Any, offered: set[bytes], file: str = "") -> _Source:
    offered.add(key.asbytes())
    return _Source(f"{file or key.comment or key.get_name()} (from the agent)", key)


def _from_file(file: Path) -> _Source:
    locked = f"has a passphrase and is not in the agent (ssh-add {file})"
    try:
        data = _bytes_of(file)
        if _public_line(data) is not None:
            return _Source(str(file), None, "is a public key whose private key is not in the agent")
        return _Source(str(file), _of_pkcs8(data) if _PKCS8 in data else paramiko.PKey.from_path(file))
    except OSError as error:
        return _Source(str(file), None, error.strerror or str(error))
    except (TypeError, paramiko.PasswordRequiredException):  # cryptography raises the first for a missing passphrase
        return _Source(str(file), None, locked)
    except (ValueError, UnsupportedAlgorithm, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        return _Source(str(file), None, f"is not a readable private key ({said})")


def _bytes_of(file: Path) -> bytes:
    """What a key file holds; raises `OSError` where it is none, is not a regular file, or is larger than any key."""
    if file.exists() and not file.is_file():
        raise OSError(errno.EINVAL, "is not a regular file")
    with file.open("rb") as stream:
        data = stream.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise OSError(errno.EFBIG, "is too large for a key")
    return data


def _of_pkcs8(data: bytes) -> Any:
    """A key without passphrase in PKCS#8 (`ssh-keygen -m PKCS8`, openssl): ssh reads that form, paramiko does not."""
    loaded = load_pem_private_key(data, None)
    kinds = ((RSAPrivateKey, paramiko.RSAKey), (EllipticCurvePrivateKey, paramiko.ECDSAKey))
    kind = next((own for theirs, own in kinds if isinstance(loaded, theirs)), paramiko.Ed25519Key)
    text = loaded.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return kind.from_private_key(io.StringIO(text))


def _public_of(file: Path) -> bytes | None:
    """The public half of a key, so that the agent's copy of it can be found; ssh looks in the same places.

    The file may be the public half itself, as with a key that never leaves a token or a password store's agent.
    """
    try:
        data = _bytes_of(file)
    except OSError:
        data = b""
    public = _public_line(data)
    if public is None:
        with contextlib.suppress(OSError):
            public = _public_line(_bytes_of(Path(f"{file}.pub")))
    return _public_in_private(data) if public is None else public


def _public_line(data: bytes) -> bytes | None:
    """The key of the first line of a public key's file that holds one: `ssh-ed25519 AAAA… comment`."""
    for line in data.splitlines():
        words = line.split()
        if len(words) < 2 or line.startswith((b"#", b"-----")):
            continue
        try:
            blob = base64.b64decode(words[1], validate=True)
        except binascii.Error:
            return None
        length = len(words[0]).to_bytes(4, "big")
        return blob if blob.startswith(length + words[0]) else None
    return None


def _public_in_private(data: bytes) -> bytes | None:
    lines = data.decode(errors="replace").splitlines()
    try:
        body = base64.b64decode("".join(line for line in lines if not line.startswith("-----")), validate=True)
    except (ValueError, binascii.Error):
        return None
    if not body.startswith(_OPENSSH):
        return None
    # OpenSSH's PROTOCOL.key: cipher, kdf, its options, the number of keys, then the public key, never encrypted.
    message = paramiko.Message(body[len(_OPENSSH) :])
    for _ in range(3):
        message.get_binary()
    message.get_int()
    return bytes(message.get_binary())

"""Opening the door with a key: files and the agent, in OpenSSH's order, without ever asking for a passphrase."""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import io
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from toolkit.hosts.ssh import trouble
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.openssh import home

_OPENSSH = b"openssh-key-v1\0"
_PKCS8 = b"-----BEGIN PRIVATE KEY-----"
_MOST_BYTES = 1 << 20
_USUAL = tuple(f"id_{kind}" for kind in ("rsa", "dsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss"))
"""ssh's, of any version."""


@dataclass(frozen=True)
class _Candidate:
    """A key that may be tried; or, where `key` is None, why a file gave none."""

    label: str
    key: Any
    why_not: str = ""


@contextlib.contextmanager
def _held_by_agent(path: str | None) -> Iterator[tuple[Any, ...]]:
    """The keys of the agent behind a socket, while it is connected; none where no agent answers there.

    Paramiko's own `Agent` knows the socket of SSH_AUTH_SOCK alone.
    """
    path = os.environ.get("SSH_AUTH_SOCK", "") if path is None else path
    agent = paramiko.agent.AgentSSH()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        if path:
            with contextlib.suppress(OSError, paramiko.SSHException):
                wire.connect(path)
                agent._connect(wire)
        yield agent.get_keys()


def authenticate(transport: Any, to: Destination) -> None:
    """Let `transport` in as `to.user`; raises `ToolkitError` that says what came of each key that was tried."""
    tried: list[str] = []
    with _held_by_agent(to.agent) as held:
        for candidate in _candidates(to, held):
            if candidate.key is None:
                tried.append(f"{candidate.label}: {candidate.why_not}")
                continue
            try:
                more = transport.auth_publickey(to.user, candidate.key)
            except paramiko.BadAuthenticationType as error:
                raise trouble.not_let_in(to, tried, error.allowed_types) from None
            except paramiko.AuthenticationException as error:
                said = str(error).rstrip(".")
                tried.append(f"{candidate.label}: {'not accepted' if said == 'Authentication failed' else said}")
                if not transport.is_active():  # MaxAuthTries: it has hung up
                    raise trouble.not_let_in(to, [*tried, "then the host hung up: too many keys"]) from None
                continue
            if not more:
                return
            tried.append(f"{candidate.label}: accepted, but the host asks for more: {', '.join(more)}")
        raise trouble.not_let_in(to, tried)


def _candidates(to: Destination, held: Sequence[Any]) -> Iterator[_Candidate]:
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


def _of_file(file: Path, offered: set[bytes]) -> Iterator[_Candidate]:
    if not os.access(file, os.F_OK) and file.parent == Path(home(), ".ssh") and file.name in _USUAL:
        return  # ssh looks for these where none is named
    candidate = _from_file(file)
    if candidate.key is None:
        yield candidate
    elif candidate.key.asbytes() not in offered:
        offered.add(candidate.key.asbytes())
        yield candidate


def _held(key: Any, offered: set[bytes], file: str = "") -> _Candidate:
    offered.add(key.asbytes())
    return _Candidate(f"{file or key.comment or key.get_name()} (held by the agent)", key)


def _from_file(file: Path) -> _Candidate:
    locked = f"has a passphrase, and the agent does not hold it (ssh-add {file})"
    try:
        data = _bytes_of(file)
        if _public_line(data) is not None:
            return _Candidate(str(file), None, "is a public key, and the agent does not hold its private half")
        return _Candidate(str(file), _of_pkcs8(data) if _PKCS8 in data else paramiko.PKey.from_path(file))
    except OSError as error:
        return _Candidate(str(file), None, error.strerror or str(error))
    except (TypeError, paramiko.PasswordRequiredException):  # cryptography raises the first for a missing passphrase
        return _Candidate(str(file), None, locked)
    except (ValueError, UnsupportedAlgorithm, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        return _Candidate(str(file), None, f"is no private key that can be read ({said})")


def _bytes_of(file: Path) -> bytes:
    """What a key file holds; raises `OSError` where it is none, is no regular file, or is larger than any key."""
    if file.exists() and not file.is_file():
        raise OSError(errno.EINVAL, "is no regular file")
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

"""Opening the door with a key: files and the agent, in OpenSSH's order, without ever asking for a passphrase."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from toolkit.hosts.ssh import trouble
from toolkit.hosts.ssh.destination import Destination

_OPENSSH = b"openssh-key-v1\0"
_USUAL = ("id_ed25519", "id_ecdsa", "id_rsa")


@dataclass(frozen=True)
class _Candidate:
    """A key that may be tried; or, where `key` is None, why a file gave none."""

    label: str
    key: Any
    why_not: str = ""


def authenticate(transport: Any, to: Destination) -> None:
    """Let `transport` in as `to.user`; raises `ToolkitError` that says what came of each key that was tried."""
    tried: list[str] = []
    agent = paramiko.Agent()
    try:
        for candidate in _candidates(to, agent.get_keys()):
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
    finally:
        agent.close()


def _candidates(to: Destination, held: tuple[Any, ...]) -> Iterator[_Candidate]:
    """The files that are named, then whatever else the agent holds, then ssh's usual files; each key once."""
    offered: set[bytes] = set()
    yield from _of_files(to.identities, held, offered)
    if to.any_key:
        yield from (_held(key, offered) for key in held if key.asbytes() not in offered)
    if to.any_key and not to.identities:
        usual = (Path.home() / ".ssh" / name for name in _USUAL)
        yield from _of_files([file for file in usual if file.is_file()], held, offered)


def _of_files(files: Iterable[Path], held: tuple[Any, ...], offered: set[bytes]) -> Iterator[_Candidate]:
    """The agent's copy of each file's key where it has one: it needs no passphrase."""
    for file in files:
        public = _public_of(file)
        twin = next((key for key in held if key.asbytes() == public), None)
        if public is not None and public in offered:
            continue
        if twin is not None:
            yield _held(twin, offered, str(file))
            continue
        candidate = _from_file(file)
        if candidate.key is not None:
            offered.add(candidate.key.asbytes())
        yield candidate


def _held(key: Any, offered: set[bytes], file: str = "") -> _Candidate:
    offered.add(key.asbytes())
    return _Candidate(f"{file or key.comment or key.get_name()} (held by the agent)", key)


def _from_file(file: Path) -> _Candidate:
    try:
        return _Candidate(str(file), paramiko.PKey.from_path(file))
    except OSError as error:
        return _Candidate(str(file), None, error.strerror or str(error))
    except TypeError:  # what cryptography raises for a missing passphrase
        return _Candidate(str(file), None, f"has a passphrase, and the agent does not hold it (ssh-add {file})")
    except (ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        if isinstance(error, paramiko.PasswordRequiredException):
            return _Candidate(str(file), None, f"has a passphrase, and the agent does not hold it (ssh-add {file})")
        return _Candidate(str(file), None, f"is no private key that can be read ({str(error).splitlines()[0]})")


def _public_of(file: Path) -> bytes | None:
    """The public half of a private key, so that the agent's copy of it can be found: from `.pub`, or from the file."""
    try:
        return base64.b64decode(Path(f"{file}.pub").read_text(errors="replace").split()[1], validate=True)
    except (OSError, IndexError, binascii.Error):
        pass
    try:
        lines = file.read_text(errors="replace").splitlines()
        body = base64.b64decode("".join(line for line in lines if not line.startswith("-----")), validate=True)
    except (OSError, binascii.Error):
        return None
    if not body.startswith(_OPENSSH):
        return None
    # OpenSSH's PROTOCOL.key: cipher, kdf, its options, the number of keys, then the public key, never encrypted.
    message = paramiko.Message(body[len(_OPENSSH) :])
    for _ in range(3):
        message.get_binary()
    message.get_int()
    return bytes(message.get_binary())

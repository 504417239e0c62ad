"""Which transport leads to a host: Fabric's connection, or the system's ssh for what only that can do.

The cluster file may say so (`ssh: fabric`, `ssh: openssh`). Otherwise it is what `ssh -G` says of the host, and of
the jump hosts on the way, of which one is enough.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from toolkit.child_environment import child_environment
from toolkit.cluster.model import Access
from toolkit.hosts.openssh.control import is_alive, is_private
from toolkit.hosts.ssh.known_hosts import kinds_on_record, known_as, read_entries
from toolkit.hosts.ssh.openssh import Answer
from toolkit.process import run

AUTO, FABRIC, OPENSSH = "auto", "fabric", "openssh"
_SECURITY_KEY = re.compile(rb"sk-(ssh|ecdsa)-[a-z0-9-]+@openssh\.com")
_PRIVATE = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", re.DOTALL)
_MOST_BYTES = 1 << 16
_SECONDS = 5
_NOT_STRICT = ("false", "no", "off")


def why_openssh(answer: Answer, access: Access) -> str:
    """Why the system's ssh is needed to reach a host, in a few words; empty if it is not.

    With `identity` in the cluster file that key alone logs in, so what else ssh_config has for that does not count.
    """
    identities = (access.identity,) if access.identity else answer.identities
    if answer.command:
        return "ProxyCommand"
    if own_login(answer, access):
        return "a live ControlPath"
    if answer.certificates or any(Path(f"{file}-cert.pub").is_file() for file in identities):
        return "a certificate"
    if any(map(is_security_key, identities)):
        return "a FIDO key"
    if access.identity:
        return ""
    if answer.token:
        return "PKCS11Provider"
    return "GSSAPI" if answer.gssapi and _has_ticket() else ""


def own_login(answer: Answer, access: Access) -> Path | None:
    """The socket of a login that the user has open, if it is equivalent to one of ours.

    It is not where it was, or may have been, made with other keys than the cluster file names, or without a look
    at the host's: what ssh has verified has a line in its files.
    """
    if answer.control is None or access.identity or access.known_hosts or answer.strict in _NOT_STRICT:
        return None
    record = read_entries((*answer.own_known, *answer.shared_known))
    if not kinds_on_record(record, answer.alias or known_as(answer.address, answer.port)):
        return None
    return answer.control if is_private(answer.control) and is_alive(answer.control) else None


def is_security_key(file: Path) -> bool:
    """Whether `file`, a private key or a public one, or the public one beside it, is of a FIDO authenticator."""
    return any(_SECURITY_KEY.search(text) for text in _contents([file, Path(f"{file}.pub")]))


def _contents(files: Iterable[Path]) -> Iterable[bytes]:
    """What is in files of keys, with the public half of a private key, which is encoded in it."""
    for file in files:
        data = b""
        with suppress(OSError):
            if file.is_file():
                with file.open("rb") as stream:
                    data = stream.read(_MOST_BYTES)
        body = _PRIVATE.search(data)
        with suppress(binascii.Error):
            yield base64.b64decode(body[1]) if body else data


@cache
def _has_ticket() -> bool:
    """Whether the user has a Kerberos ticket. Distributions enable GSSAPI for everyone."""
    return run(["klist", "-s"], check=False, timeout=_SECONDS, environment=child_environment("ssh")).ok

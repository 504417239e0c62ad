"""A secret is a type: it prints as redacted everywhere and gives its value only where it is used."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import Code, ToolkitError

_REFERENCE = re.compile(r"\$\{(env|file|embedded|profile):([^}]+)\}")
_CHAIN = "${chain}"
PAIR_KINDS = ("profile", "chain")
"""Sources that give both keys of a store, and maybe a session's token."""


class Secret:
    """A value that must not be seen; `reveal()` is called only by the code that hands it to its user."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return "[redacted]"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))


@dataclass(frozen=True)
class SecretSource:
    """Where a secret comes from: `literal` (it stands in the manifest), or the kind of the reference to it.

    `${env:NAME}` is an environment variable of the operator, `${file:PATH}` a file that only its owner may
    read, `${embedded:access_key_id}` the key of the embedded S3 server of this machine. `${profile:NAME}`, a profile
    of Amazon's own files, and `${chain}`, the standard chain of credentials, give both keys: `resolve_pair`.
    """

    kind: str
    value: Secret

    def __str__(self) -> str:
        if self.kind == "chain":
            return _CHAIN
        return "[redacted]" if self.kind == "literal" else f"${{{self.kind}:{self.value.reveal()}}}"


def parse_secret(text: str) -> SecretSource:
    """Read `${env:NAME}`, `${file:PATH}` and the like, or take the text itself as the secret."""
    if text == _CHAIN:
        return SecretSource("chain", Secret(""))
    match = _REFERENCE.fullmatch(text)
    if match:
        return SecretSource(match[1], Secret(match[2]))
    return SecretSource("literal", Secret(text))


def resolve_secret(source: SecretSource, environment: Mapping[str, str], embedded: Mapping[str, Secret]) -> Secret:
    """The secret behind `source`; raises `ToolkitError` (C103) naming the reference that leads nowhere."""
    secret = _look_up(source, environment, embedded)
    if not re.fullmatch(r"[\x21-\x7e]+", secret.reveal()):
        raise ToolkitError(Code.CREDENTIALS, f"{source}: empty, or holds a space or a character that no key has")
    return secret


def resolve_pair(source: SecretSource) -> tuple[Secret, Secret, Secret | None]:
    """Access key, secret key and, where they are a session's, its token, as Amazon's own tools would find them.

    Raises `ToolkitError` (C103) where the profile is not there, or the chain finds nothing.
    """
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        session = Session(profile=source.value.reveal() or None)
        found = session.get_credentials()
        keys = found.get_frozen_credentials() if found else None
    except BotoCoreError as error:
        raise ToolkitError(Code.CREDENTIALS, f"{source}: {error}") from None
    if keys is None or not keys.access_key or not keys.secret_key:
        raise ToolkitError(
            Code.CREDENTIALS,
            f"{source}: no keys were found",
            hint="aws configure, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    return Secret(keys.access_key), Secret(keys.secret_key), Secret(keys.token) if keys.token else None


def _look_up(source: SecretSource, environment: Mapping[str, str], embedded: Mapping[str, Secret]) -> Secret:
    name = source.value.reveal()
    if source.kind == "literal":
        return source.value
    if source.kind == "env":
        if name not in environment:
            raise ToolkitError(Code.CREDENTIALS, f"{source}: no such environment variable", hint=f"export {name}=…")
        return Secret(environment[name])
    if source.kind == "file":
        return _read_private(name, source)
    if name not in embedded:
        known = ", ".join(sorted(embedded))
        raise ToolkitError(Code.CREDENTIALS, f"{source}: the embedded store has no such value; it has {known}")
    return embedded[name]


def _read_private(name: str, source: SecretSource) -> Secret:
    try:
        path = Path(name).expanduser()
        with path.open(encoding="ascii") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise ToolkitError(
                    Code.CREDENTIALS,
                    f"{source}: others may read this file (mode {mode:04o})",
                    hint=f"chmod 600 {path}",
                )
            return Secret(file.read().strip())
    except OSError as error:
        raise ToolkitError(Code.CREDENTIALS, f"{source}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ToolkitError(Code.CREDENTIALS, f"{source}: the file holds more than a key: it is no ASCII text") from None
    except RuntimeError as error:  # of expanduser: no such user
        raise ToolkitError(Code.CREDENTIALS, f"{source}: {error}") from None
